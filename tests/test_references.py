"""Docstrings and comments name files that are there: beside them, in their part of the pipeline, or from the top."""

import re
from pathlib import Path

TOP = Path(__file__).parent.parent
PARTS = tuple(link.name for link in (TOP / "src" / "clawstream").iterdir())
NAMED = re.compile(r"``(?!my_)([\w/]+\.py)``|\bsee (docs/[\w/.-]+)")  # my_rewards.py is the user's own


def is_there(name: str, file: Path) -> bool:
    part = TOP / file.relative_to(TOP).parts[0]
    return any(list(folder.glob(f"{name}*")) for folder in (file.parent, part, TOP))


def test_files_that_are_named_are_there() -> None:
    files = [file for part in PARTS for file in (TOP / part).rglob("*.py")]
    named = [(file, one or other) for file in files for one, other in NAMED.findall(file.read_text())]
    assert len(files) > 100
    assert named
    assert [f"{file.relative_to(TOP)}: {name}" for file, name in named if not is_there(name, file)] == []
