"""What a new version of a dataset is made of: the log as it is now, and what the user asks.

Invariant: a recipe names offsets, never "now", so it can be built again.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from clawstream.dataset.errors import DatasetError
from clawstream.dataset.gathering import READ
from clawstream.dataset.manifest import MANIFEST, Recipe, TopicRange, read_manifest
from clawstream.dataset.row import FIELDS
from clawstream.streams.reading.query import QueryError, condition
from clawstream.streams.reading.ranges import RangeReader, read_range
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import REWARDS, SAMPLES

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_VERSION = re.compile(r"v(\d+)")


def planned(recipe: Recipe, kafka: KafkaSettings, judged: str | None, offsets: Iterable[str]) -> Recipe:
    """``recipe`` with the ranges of what is in the log now.

    ``judged``: the name of a replay, whose samples and rewards count in place of the live ones.
    ``offsets``: ranges such as ``steps[0]@10-200``, which count in place of all that the topic holds.
    """
    for text in recipe.where:
        checked(text)
    narrowed = [_range(text) for text in offsets]
    ranges = list[TopicRange]()
    for topic in READ.values():
        is_judged = topic in (SAMPLES, REWARDS) and judged is not None
        prefix = kafka.name(f"{judged}-") if is_judged else kafka.topic_prefix
        own = [replace(each, prefix=prefix) for each in narrowed if each.topic == topic.name]
        if own:
            ranges += own
            continue
        reader = RangeReader(kafka.model_copy(update={"topic_prefix": prefix}), topic.name)
        try:
            ranges += [
                TopicRange(topic=topic.name, prefix=prefix, partition=partition, start=start, end=end)
                for partition, (start, end) in reader.present().items()
            ]
        finally:
            reader.close()
    return replace(recipe, ranges=sorted(ranges))


def next_version(root: Path, name: str) -> Path:
    """The folder of the next version of ``name``. Raises ``DatasetError`` for what is no name."""
    if not _NAME.fullmatch(name):
        raise DatasetError(f"{name!r} is no name of a dataset: letters, digits, dots and dashes")
    return root / name / f"v{1 + max((_number(folder) for folder in versions(root, name)), default=0)}"


def versions(root: Path, name: str) -> list[Path]:
    """The folders of all versions of ``name``, oldest first."""
    found = [folder for folder in (root / name).glob("v*") if (folder / MANIFEST).exists() and _number(folder)]
    return sorted(found, key=_number)


def folder_of(root: Path, named: str) -> Path:
    """The folder ``named``, or of a dataset of that name its newest version (``sums``), or that one (``sums/v2``).
    Raises ``DatasetError``."""
    newest = versions(root, named)[-1:] if _NAME.fullmatch(named) else []
    for folder in (*newest, root / named, Path(named)):
        if (folder / MANIFEST).exists():
            return folder
    raise DatasetError(f"{named} is neither a folder with a {MANIFEST} nor a dataset in {root}")


def all_versions(root: Path) -> list[Path]:
    """The folders of all versions of all datasets."""
    names = sorted(folder.name for folder in root.iterdir() if folder.is_dir()) if root.exists() else []
    return [folder for name in names for folder in versions(root, name)]


def following(recipe: Recipe, root: Path) -> Recipe:
    """``recipe`` as the next version of its name: it names its parent, and forgets whom that has forgotten."""
    known = versions(root, recipe.name)
    if not known:
        return recipe
    parent = read_manifest(known[-1])
    forgotten = sorted({*recipe.forgotten, *parent.recipe.forgotten})
    return replace(recipe, parent=parent.built.content_sha256, forgotten=forgotten)


def again(like: Path, forget: Iterable[str]) -> Recipe:
    """The recipe of the dataset ``like``; with more forgotten it is a child of that one."""
    manifest = read_manifest(like)
    forgotten = sorted({*manifest.recipe.forgotten, *forget})
    if forgotten == manifest.recipe.forgotten:
        return manifest.recipe
    return replace(manifest.recipe, forgotten=forgotten, parent=manifest.built.content_sha256)


def checked(text: str) -> str:
    """A condition on a row, as it is kept. Raises ``DatasetError``."""
    try:
        return str(condition(text, FIELDS))
    except QueryError as error:
        raise DatasetError(str(error)) from error


def _number(folder: Path) -> int:
    found = _VERSION.fullmatch(folder.name)
    return int(found[1]) if found else 0


def _range(text: str) -> TopicRange:
    try:
        topic, partition, start, end = read_range(text)
    except ValueError as error:
        raise DatasetError(str(error)) from error
    if topic not in READ:
        raise DatasetError(f"{text}: a dataset is built from {', '.join(READ)}")
    return TopicRange(topic=topic, prefix="", partition=partition, start=start, end=end)
