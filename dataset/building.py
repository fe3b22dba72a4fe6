"""A recipe becomes a dataset, in bounded memory.

Invariant: the folder appears whole or not at all, and the recipe and the log decide every byte in it. Records are put
together by trajectory and rows by group, each time through files (``streams.spill``), so no more than one bucket of
either is in memory::

    steps, feedback, rewards, samples ──by trajectory──> rows ──by group──> files of each split
"""

import hashlib
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from clawstream.dataset.errors import DatasetError
from clawstream.dataset.facts import Entry, facts_of
from clawstream.dataset.gathering import Gathered, gather
from clawstream.dataset.manifest import Built, Manifest, Recipe, write_manifest
from clawstream.dataset.row import FIELDS, Row
from clawstream.dataset.rows import rows_of
from clawstream.dataset.splitting import split_of
from clawstream.dataset.writing import Files
from clawstream.streams.files.spill import BUCKET_BYTES, Spill
from clawstream.streams.process.progress import Watch
from clawstream.streams.reading.query import condition
from clawstream.streams.settings import KafkaSettings

_DIGEST_BYTES = 16


def build(
    recipe: Recipe, kafka: KafkaSettings, folder: Path, watch: Watch, *, bucket_bytes: int = BUCKET_BYTES
) -> Manifest:
    """Build ``recipe`` into ``folder``, which must not be there. Raises ``DatasetError``, and what reading raises."""
    if folder.exists():
        raise DatasetError(f"{folder} is there already")
    part = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    try:
        entries = Spill(part / "records", bucket_bytes)
        gathered = gather(recipe, kafka, entries, watch)
        left_out, rows = Counter(gathered.left_out), Spill(part / "rows", bucket_bytes)
        _lay_out(recipe, entries, rows, left_out, watch)
        files = Files(part, recipe.file_mib)
        groups = _write(recipe, rows, files, left_out, watch)
        manifest = Manifest(recipe=recipe, built=_built(gathered, files, groups, left_out))
        write_manifest(part, manifest)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return manifest


def _lay_out(recipe: Recipe, entries: Spill, rows: Spill, left_out: Counter[str], watch: Watch) -> None:
    """Trajectories become rows."""
    conditions = [condition(text, FIELDS) for text in recipe.where]
    done, total = 0, entries.item_count
    for packed in entries.groups():
        found, unreadable = facts_of(msgspec.msgpack.decode(item, type=Entry) for item in packed)
        left_out.update({"unreadable": unreadable} if unreadable else {})
        for facts in found:
            for row in rows_of(facts, recipe):
                if isinstance(row, str):
                    left_out[row] += 1
                elif failed := next((each for each in conditions if not each.holds(row)), None):
                    left_out[str(failed)] += 1
                else:
                    rows.add(msgspec.msgpack.encode(row), *_place(row))
        done += len(packed)
        watch("laying out trajectories", done, total)


def _place(row: Row) -> tuple[bytes, bytes]:
    """What decides where a row stands: rows of a group stand together, and in it those of a trajectory."""
    return f"{row.tenant}\0{row.group_id}".encode(), row.trajectory_id.encode()


def _write(recipe: Recipe, rows: Spill, files: Files, left_out: Counter[str], watch: Watch) -> int:
    """Rows become files; how many groups they are of."""
    seen, groups, last, done, total = set[bytes](), 0, b"", 0, rows.item_count
    for packed in rows.groups():
        members = [msgspec.msgpack.decode(item, type=Row) for item in packed]
        kept = list(_distinct(sorted(members, key=_order), recipe, seen))
        left_out.update({"duplicate": len(members) - len(kept)} if len(kept) < len(members) else {})
        for row in kept:
            files.add(split_of(row.tenant, row.group_id, recipe.splits, recipe.seed), row)
            group = _place(row)[0]
            groups, last = groups + (group != last), group
        done += len(packed)
        watch("writing", done, total)
    return groups


def _order(row: Row) -> tuple[str, int]:
    return row.sample_id or "", row.sequence


def _distinct(rows: list[Row], recipe: Recipe, seen: set[bytes]) -> Iterator[Row]:
    """The rows that are not like an earlier one."""
    for row in rows:
        if recipe.dedupe != "none":
            same = row.tokens if recipe.dedupe == "tokens" else f"{row.tools_json}\0{row.messages_json}".encode()
            digest = hashlib.sha256(same).digest()[:_DIGEST_BYTES]
            if digest in seen:
                continue
            seen.add(digest)
        yield row


def _built(gathered: Gathered, files: Files, groups: int, left_out: Counter[str]) -> Built:
    written = files.close()
    return Built(
        rows=files.rows.total(),
        groups=groups,
        records=dict(gathered.records),
        left_out=dict(sorted(left_out.items())),
        schema_ids={topic: sorted(ids) for topic, ids in gathered.schema_ids.items()},
        curated=gathered.curated,
        content_sha256=files.content_sha256,
        files=written,
        software={name: _version(name) for name in ("clawstream", "pyarrow")},
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from its sources
        return "unknown"
