"""The files of a dataset: one or more for each split.

Invariant: rows stay in the order in which they come, and the digest of the content covers each row and its split, so it
is the same whatever version of pyarrow wrote the files.
"""

import hashlib
from collections import Counter
from pathlib import Path

import msgspec

from clawstream.dataset.manifest import BuiltFile, file_digest
from clawstream.dataset.parquet import ParquetFile, cells_of
from clawstream.dataset.row import Row

DATA = "data"
_MIB = 1024 * 1024


class Files:
    """Writes rows below ``folder``, in ``data/<split>-00000.parquet`` and so on."""

    def __init__(self, folder: Path, file_mib: int) -> None:
        self._folder, self._most_bytes = folder, file_mib * _MIB
        self._open: dict[str, ParquetFile] = {}
        self._written: dict[str, list[tuple[Path, int]]] = {}  # by split: path and rows of each file
        self._digest = hashlib.sha256()
        self.rows: Counter[str] = Counter()  # by split

    @property
    def content_sha256(self) -> str:
        """Of all rows so far."""
        return self._digest.hexdigest()

    def add(self, split: str, row: Row) -> None:
        """Write ``row``."""
        self._digest.update(msgspec.msgpack.encode((split, row)))
        self.rows[split] += 1
        if split not in self._open:
            number = len(self._written.setdefault(split, []))
            path = self._folder / DATA / f"{split}-{number:05d}.parquet"
            self._open[split] = ParquetFile(path)
            self._written[split].append((path, 0))
        file = self._open[split]
        file.add(*cells_of(row))
        if file.raw_bytes >= self._most_bytes:
            self._finish(split)

    def close(self) -> list[BuiltFile]:
        """Finish, and say what there is."""
        for split in list(self._open):
            self._finish(split)
        return [
            BuiltFile(
                path=path.relative_to(self._folder).as_posix(),
                split=split,
                rows=rows,
                size_bytes=path.stat().st_size,
                sha256=file_digest(path),
            )
            for split, files in sorted(self._written.items())
            for path, rows in files
        ]

    def _finish(self, split: str) -> None:
        file = self._open.pop(split)
        file.close()
        self._written[split][-1] = (self._written[split][-1][0], file.rows)
