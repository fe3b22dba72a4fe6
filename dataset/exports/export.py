"""A dataset's files in another form, one for each split, in bounded memory.

Invariant: the folder appears whole or not at all, and the same dataset gives the same bytes.
"""

import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from clawstream.dataset.errors import DatasetError
from clawstream.dataset.exports.chat import chat
from clawstream.dataset.exports.preferences import Pairs, preferences
from clawstream.dataset.exports.tables import card, hugging_face, verl
from clawstream.dataset.manifest import Manifest, read_manifest
from clawstream.dataset.parquet import read_rows
from clawstream.dataset.row import Row
from clawstream.schemas.blobs import SCHEME
from clawstream.streams.files.blobs import BlobStore
from clawstream.streams.process.progress import Watch

Write = Callable[[Path, str, Iterable[Row]], int]  # folder, split, its rows -> how many were written


def export(
    dataset: Path,
    form: str,
    folder: Path,
    watch: Watch,
    *,
    pairs: Pairs = "best",
    margin: float = 0.0,
    blobs: BlobStore | None = None,
) -> dict[str, int]:
    """Write ``dataset`` as ``form`` into ``folder``, which must not be there; how many there are of each split.

    ``blobs``: where images and other large parts are taken from; else messages keep references to them.
    """
    manifest = read_manifest(dataset)
    if folder.exists():
        raise DatasetError(f"{folder} is there already")
    writes: dict[str, Write] = {
        "chat": _jsonl(lambda rows: (said for row in rows for said in chat(row))),
        "preferences": _jsonl(lambda rows: _pairs(rows, pairs, margin)),
        "huggingface": hugging_face,
        "verl": lambda folder, split, rows: verl(folder, split, rows, manifest.recipe.name),
    }
    part = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    part.mkdir(parents=True)
    try:
        written, done = dict[str, int](), 0

        def counted(rows: Iterable[Row]) -> Iterator[Row]:
            nonlocal done
            for row in rows:
                yield row
                done += 1
                watch("exporting", done, manifest.built.rows)

        for split in sorted({file.split for file in manifest.built.files}):
            written[split] = writes[form](part, split, counted(_rows(dataset, manifest, split, blobs)))
        if form == "huggingface":
            card(part, manifest.recipe.name, written)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return written


FORMS = ("chat", "preferences", "huggingface", "verl")


def _rows(dataset: Path, manifest: Manifest, split: str, blobs: BlobStore | None) -> Iterator[Row]:
    for file in manifest.built.files:
        if file.split != split:
            continue
        for row in read_rows(dataset / file.path):
            if blobs is None or SCHEME not in row.messages_json:
                yield row
            else:
                yield replace(row, messages_json=blobs.resolve(row.tenant, row.messages_json))


def _jsonl(say: Callable[[Iterable[Row]], Iterable[dict[str, Any]]]) -> Write:
    def write(folder: Path, split: str, rows: Iterable[Row]) -> int:
        count = 0
        with (folder / f"{split}.jsonl").open("wb") as file:
            for said in say(rows):
                file.write(msgspec.json.encode(said) + b"\n")
                count += 1
        return count

    return write


def _pairs(rows: Iterable[Row], pairs: Pairs, margin: float) -> Iterator[dict[str, Any]]:
    """Rows of one group stand together."""
    for _, group in groupby(rows, key=lambda row: (row.tenant, row.group_id)):
        yield from preferences(list(group), pairs, margin)
