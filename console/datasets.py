"""Datasets through the command line: what this page runs is what anybody runs by hand.

Invariant: nothing that a person typed can be taken for another option, and a file is served only where a manifest in
the datasets' folder names it.
"""

import asyncio
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from clawstream.streams.settings import KafkaSettings, Section

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MANIFEST = "manifest.json"


class DatasetFolder(Section):
    """The section of datasets, as far as it matters here."""

    section = "dataset"
    model_config = ConfigDict(extra="ignore", frozen=True)
    folder: Path = Field(default=Path("runs/datasets"), description="as datasets have it")


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a dataset."""

    folder: Path
    name: str  # with its version, below the datasets' folder
    rows: int
    digest: str
    recipe: dict[str, Any]
    files: tuple[tuple[str, int, int], ...]  # path below its folder, rows, bytes


class AskedError(ValueError):
    """What was asked cannot be built: a sentence."""


def versions(root: Path) -> Iterator[Version]:
    """Every version in ``root``, by name; what is no manifest is passed over."""
    for file in sorted(root.rglob(_MANIFEST)):
        try:
            manifest = json.loads(file.read_bytes())
            built, files = manifest["built"], manifest["built"]["files"]
            yield Version(
                folder=file.parent,
                name=file.parent.relative_to(root).as_posix(),
                rows=built["rows"],
                digest=built["content_sha256"],
                recipe=manifest["recipe"],
                files=tuple((each["path"], each["rows"], each["size_bytes"]) for each in files),
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue


def file_of(root: Path, name: str, path: str) -> Path | None:
    """The file ``path`` of the version ``name``; ``None`` where no manifest names it."""
    for version in versions(root):
        if version.name == name and (path == _MANIFEST or path in {each[0] for each in version.files}):
            found = (version.folder / path).resolve()
            return found if found.is_relative_to(root.resolve()) and found.is_file() else None
    return None


def building(name: str, rows_from: str, conditions: str, min_reward: float | None) -> list[str]:
    """The arguments that build the next version of ``name``. Raises ``AskedError``."""
    if _NAME.fullmatch(name) is None:
        raise AskedError("A name is 1 to 100 letters, digits, dots, dashes and underscores, not a dash first")
    if rows_from not in ("samples", "steps"):
        raise AskedError("Rows are from samples or from steps")
    asked = [f"--where={line.strip()}" for line in conditions.splitlines() if line.strip()]
    asked += [] if min_reward is None else [f"--min-reward={min_reward:g}"]
    return ["build", name, f"--rows-from={rows_from}", *asked]


async def run(kafka: KafkaSettings, root: Path, arguments: Sequence[str]) -> tuple[int, str]:
    """``clawstream dataset`` with ``arguments``: its exit status, and what it said."""
    environment = os.environ | kafka.environment() | {"CLAWSTREAM_DATASET_FOLDER": str(root)}
    command = [sys.executable, "-m", "clawstream.cli.main", "dataset", *arguments]
    child = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await child.communicate()
    return child.returncode or 0, said.decode(errors="replace")
