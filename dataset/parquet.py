"""Rows as Parquet files, and back.

Invariant: the same rows give the same bytes with the same version of pyarrow: row groups and files end where the rows
say so, settings are fixed, and no time of writing is in a file. At most one row group is in memory.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clawstream.dataset.row import FIELDS, Row
from clawstream.schemas import unpack_logprobs, unpack_tokens

_GROUP_BYTES = 4 * 1024 * 1024  # of a row group, before compression
_TEXT, _NUMBER, _WHOLE = pa.string(), pa.float64(), pa.int64()
_AT = pa.timestamp("ms", tz="UTC")


def _list(**fields: Any) -> Any:
    return pa.list_(pa.struct([pa.field(name, kind) for name, kind in fields.items()]))


_SPECIAL = {
    "sequence": _WHOLE,
    "tokens": pa.list_(pa.int32()),
    "logprobs": pa.list_(pa.float32()),
    "responses": _list(step_id=_TEXT, start=_WHOLE, end=_WHOLE, temperature=_NUMBER),
    "policy_spans": _list(version=_WHOLE, start=_WHOLE, end=_WHOLE),
    "policy_version_min": _WHOLE,
    "policy_version_max": _WHOLE,
    "token_count": _WHOLE,
    "response_token_count": _WHOLE,
    "turn_count": _WHOLE,
    "reward": _NUMBER,
    "rewards": _list(source=_TEXT, kind=_TEXT, step_id=_TEXT, value=_NUMBER, hint=_TEXT),
    "group_size": _WHOLE,
    "group_reward_mean": _NUMBER,
    "group_reward_std": _NUMBER,
    "tags": pa.list_(_TEXT),
    "sources": _list(step_id=_TEXT, partition=_WHOLE, offset=_WHOLE),
    "started_at": _AT,
    "finished_at": _AT,
}
SCHEMA = pa.schema([pa.field(name, _SPECIAL.get(name, _TEXT)) for name in FIELDS])
_REPEATED = [
    "tenant",
    "group_id",
    "agent",
    "channel",
    "model",
    "node",
    "ended_by",
    "finish_reason",
    "logprobs_mode",
    "quality",
]
_PACKED = {"tokens": unpack_tokens, "logprobs": unpack_logprobs}


class ParquetFile:
    """One file being written."""

    def __init__(self, path: Path, schema: Any = SCHEMA, dictionary: Sequence[str] = _REPEATED) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(
            path,
            schema,
            version="2.6",
            compression="zstd",
            compression_level=3,
            use_dictionary=list(dictionary),
            write_statistics=True,
        )
        self._schema = schema
        self._columns: dict[str, list[Any]] = {name: [] for name in schema.names}
        self._pending_bytes = 0
        self.rows, self.raw_bytes = 0, 0  # so far, and their size before compression

    def add(self, cells: dict[str, Any], size_bytes: int) -> None:
        """Add a row. Cells of packed columns are arrays of numpy."""
        for name, column in self._columns.items():
            column.append(cells[name])
        self.rows, self.raw_bytes = self.rows + 1, self.raw_bytes + size_bytes
        self._pending_bytes += size_bytes
        if self._pending_bytes >= _GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """Finish the file."""
        if self._pending_bytes:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        arrays = [_array(self._columns[field.name], field.type) for field in self._schema]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        for column in self._columns.values():
            column.clear()
        self._pending_bytes = 0


def cells_of(row: Row) -> tuple[dict[str, Any], int]:
    """``row`` for :meth:`ParquetFile.add`: its cells, and about how large it is."""
    cells = msgspec.to_builtins(row, builtin_types=(bytes,)) | {
        "tokens": unpack_tokens(row.tokens),
        "logprobs": unpack_logprobs(row.logprobs),
        "started_at": row.started_at,
        "finished_at": row.finished_at,
    }
    return cells, len(row.tokens) + len(row.logprobs) + len(row.messages_json) + 1024


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file, in order."""
    for batch in _batches(path, FIELDS):
        columns = {name: _plain(name, batch.column(name)) for name in FIELDS}
        for number in range(batch.num_rows):
            yield msgspec.convert({name: column[number] for name, column in columns.items()}, Row)


def read_columns(path: Path, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Some columns of each row, which costs no more than they do."""
    for batch in _batches(path, names):
        yield from batch.to_pylist()


def _batches(path: Path, names: Sequence[str]) -> Iterator[Any]:
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            yield from file.read_row_group(number, columns=list(names), use_threads=False).to_batches()


def _array(cells: list[Any], kind: Any) -> Any:
    if cells and isinstance(cells[0], np.ndarray):
        offsets = np.cumsum([0, *map(len, cells)], dtype=np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(cells)), type=kind)
    return pa.array(cells, type=kind)


def _plain(name: str, column: Any) -> list[Any]:
    if name not in _PACKED:
        return list(column.to_pylist())
    values, offsets = column.values.to_numpy(zero_copy_only=False), column.offsets.to_numpy()
    return [values[start:end].tobytes() for start, end in pairwise(offsets)]
