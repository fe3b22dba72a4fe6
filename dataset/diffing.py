"""What is different between two datasets, in bounded memory.

Invariant: every row of both is counted once: as the same, changed, only in one, or in another split.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from clawstream.dataset.manifest import Recipe, read_manifest
from clawstream.dataset.parquet import read_rows
from clawstream.streams.files.spill import Spill

_SHOWN = 20  # ids of rows, of each kind


class _Seen(msgspec.Struct, frozen=True, array_like=True):
    side: int
    split: str
    row_id: str
    trajectory_id: str
    digest: bytes


def differences(before: Path, after: Path) -> Iterator[str]:
    """A line for each difference; none where both are the same."""
    old, new = read_manifest(before), read_manifest(after)
    if old.built.content_sha256 == new.built.content_sha256 and old.recipe == new.recipe:
        return
    yield from _of_recipes(old.recipe, new.recipe)
    found, shown = Counter[str](), dict[str, list[str]]()
    for kind, trajectory_id in _of_rows(before, after):
        found[kind] += 1
        if len(shown.setdefault(kind, [])) < _SHOWN:
            shown[kind].append(trajectory_id)
    for kind, count in sorted(found.items()):
        more = ", …" if count > _SHOWN else ""
        yield f"rows {kind}: {count}" + ("" if kind == "the same" else f": {', '.join(sorted(shown[kind]))}{more}")


def _of_recipes(old: Recipe, new: Recipe) -> Iterator[str]:
    for name in Recipe.__struct_fields__:
        was, now = getattr(old, name), getattr(new, name)
        if was != now:
            yield f"{name}: {_said(was)} -> {_said(now)}"


def _of_rows(before: Path, after: Path) -> Iterator[tuple[str, str]]:
    """For each row what happened to it, and its trajectory."""
    with TemporaryDirectory(dir=after.parent, prefix=".diff-") as folder:
        rows = Spill(Path(folder) / "rows")
        for side, dataset in enumerate((before, after)):
            for file in read_manifest(dataset).built.files:
                for row in read_rows(dataset / file.path):
                    digest = hashlib.sha256(msgspec.msgpack.encode(row)).digest()
                    seen = _Seen(side, file.split, row.row_id, row.trajectory_id, digest)
                    rows.add(msgspec.msgpack.encode(seen), row.row_id.encode())
        for group in rows.groups():
            both = [msgspec.msgpack.decode(item, type=_Seen) for item in group]
            yield _kind(both), both[0].trajectory_id


def _kind(both: list[_Seen]) -> str:
    if len(both) == 1:
        return "added" if both[0].side else "removed"
    if both[0].digest != both[1].digest:
        return "changed"
    return "the same" if both[0].split == both[1].split else "in another split"


def _said(value: object) -> str:
    return msgspec.json.encode(value).decode()
