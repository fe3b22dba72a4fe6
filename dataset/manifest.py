"""The manifest: what a dataset is made of, and what came of it.

Invariant: the recipe alone decides the files, byte for byte; ``built`` says what they were. Two machines with the same
recipe, log and software get the same manifest::

    recipe   ranges of topics, what is asked of a row, splits, what is forgotten
    built    rows, left out and why, schema ids, the digest of all rows, the digest of each file, the software
"""

import hashlib
from pathlib import Path
from typing import Literal

import msgspec

from clawstream.dataset.errors import DatasetError

MANIFEST = "manifest.json"
FORMAT = 1  # of rows and files; counted up when the same recipe gives other ones

From = Literal["samples", "steps"]
Dedupe = Literal["none", "tokens", "messages"]


class TopicRange(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Offsets of one partition that were read."""

    topic: str  # bare name
    prefix: str  # of the topic on the cluster
    partition: int
    start: int
    end: int  # one past the last


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides what is in the dataset."""

    name: str
    rows_from: From = "samples"  # sequences of samples, or of all steps, trained or not
    ranges: list[TopicRange] = []
    where: list[str] = []  # conditions on fields of a row; all must hold
    reward_source: str | None = None  # whose newest outcome reward counts; null: the sample's
    dedupe: Dedupe = "none"  # of rows that are equal in this, the first stays
    splits: dict[str, float] = msgspec.field(default_factory=lambda: {"train": 1.0})  # shares of groups
    seed: str = ""  # another one gives other splits
    forgotten: list[str] = []  # TENANT or TENANT/TRAJECTORY, never in a row
    file_mib: int = 256  # size from which a split's next file begins, before compression
    parent: str | None = None  # content of the version that this one follows


class BuiltFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the dataset."""

    path: str  # below the dataset's folder
    split: str
    rows: int
    size_bytes: int
    sha256: str


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a recipe."""

    rows: int
    groups: int
    records: dict[str, int]  # that were read, by topic
    left_out: dict[str, int]  # rows, by reason
    schema_ids: dict[str, list[int]]  # that the records were written with, by topic
    curated: int  # statements of reviewers within the ranges
    content_sha256: str  # of all rows, whatever software wrote the files
    files: list[BuiltFile]
    software: dict[str, str]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """``manifest.json``."""

    recipe: Recipe
    built: Built
    format: int = FORMAT


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write it, always in the same way."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    (folder / MANIFEST).write_bytes(text + b"\n")


def read_manifest(path: Path) -> Manifest:
    """The manifest at ``path``, a dataset's folder or the file itself. Raises ``DatasetError``."""
    path = path / MANIFEST if path.is_dir() else path
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise DatasetError(f"{path} is no manifest of a dataset: {error}") from error
    if manifest.format != FORMAT:
        raise DatasetError(f"{path} has the format {manifest.format}; this version of clawstream knows {FORMAT}")
    return manifest


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
