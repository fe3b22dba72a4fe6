"""All that decides what a replay through reward processors writes.

Invariant: another prompt or another line of a reward function is another plan, also where its file has the same name.
"""

import hashlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clawstream.processors.replay.selection import Selection
from clawstream.processors.rewards.settings import JudgingSettings
from clawstream.processors.settings import ProcessorsSettings, named


def plan_of(settings: ProcessorsSettings, selection: Selection) -> dict[str, Any]:
    """The plan, as JSON has it."""
    contents = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in _files(settings)}
    return {"processors": settings.model_dump(mode="json"), "asked": selection.described(), "contents": contents}


def _files(settings: ProcessorsSettings) -> Iterator[Path]:
    """The files that ``settings`` name: reward functions and prompts."""
    for name in named(settings.include):
        if name.endswith(".py"):
            yield Path(name)
        elif (spec := importlib.util.find_spec(name)) is not None and spec.origin is not None:
            yield Path(spec.origin)
    for entry in settings.rewards:
        if isinstance(entry, JudgingSettings) and entry.prompt:
            yield Path(entry.prompt)
