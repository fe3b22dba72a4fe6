"""Tasks, one JSON object per line. All are read before the first is worked on, so a bad line costs nothing."""

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from clawstream.agents.errors import TaskError

_SHOWN = 5  # bad lines that are named

_OBJECT = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, kw_only=True)
class Task:
    """One line.

    Attributes:
        content: what ``run`` is given; a copy for each rollout.
        where: file and line.
    """

    content: dict[str, Any]
    where: str

    @property
    def name(self) -> str:
        """Its own ``id`` where it has one, else file and line."""
        named = self.content.get("id")
        return str(named) if isinstance(named, str | int) else self.where


def read_tasks(path: Path) -> list[Task]:
    """The tasks in ``path``; empty lines are passed over. Raises ``TaskError``, naming the lines that are no tasks."""
    try:
        lines = path.read_bytes().removeprefix(codecs.BOM_UTF8).splitlines()
    except OSError as error:
        raise TaskError(f"{path} cannot be read: {error.strerror}") from error
    tasks, problems = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            tasks.append(Task(content=_OBJECT.decode(line), where=f"{path}:{number}"))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            problems.append(f"{path}:{number}: {error}")
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise TaskError(f"every line must be a JSON object: {'; '.join(problems[:_SHOWN])}{more}")
    if not tasks:
        raise TaskError(f"{path} holds no task")
    return tasks
