"""Items grouped by key in bounded memory: they go to files by their key's digest, and come back key by key.

Invariant: groups come in the order of their keys' digests, whatever the number and order of items; within a group the
order is that of :meth:`Spill.add`. A key of two parts is ordered by the first, then by the second. One bucket of at
most ``bucket_bytes``, or one key's items where those are more, is in memory at a time::

    add(…, b"t1") add(…, b"t2") add(…, b"t1")       00.bucket … ff.bucket, by the first byte of the digest
    groups()                                        [t2's one], [t1's two]; too large a bucket is split by the next byte
"""

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_DIGEST_BYTES = 16
_HEADER = struct.Struct(f"<{_DIGEST_BYTES}sI")
BUCKET_BYTES = 24 * 1024 * 1024
_BUFFER_BYTES = 32 * 1024


class Spill:
    """Items of one run, in files under ``folder``, which must not exist yet."""

    def __init__(self, folder: Path, bucket_bytes: int = BUCKET_BYTES, level: int = 0) -> None:
        """``level``: which byte of the digest names the bucket."""
        folder.mkdir(parents=True)
        self._folder, self._bucket_bytes, self._level = folder, bucket_bytes, level
        self._files: dict[int, BinaryIO] = {}
        self.item_count = 0

    def add(self, item: bytes, *key: bytes) -> None:
        """Put ``item`` to those of ``key``, one part or two."""
        size = _DIGEST_BYTES // len(key)
        self._put(b"".join(hashlib.sha256(part).digest()[:size] for part in key), item)

    def groups(self) -> Iterator[list[bytes]]:
        """The items of each key, once; the files are gone then."""
        buckets = sorted(self._files)
        for file in self._files.values():
            file.close()
        self._files.clear()
        for bucket in buckets:
            path = self._path(bucket)
            if path.stat().st_size > self._bucket_bytes and self._level + 1 < _DIGEST_BYTES:
                yield from self._split(path)
            else:
                grouped = dict[bytes, list[bytes]]()
                for digest, item in _items(path):
                    grouped.setdefault(digest, []).append(item)
                path.unlink()
                for digest in sorted(grouped):
                    yield grouped.pop(digest)
        self._folder.rmdir()

    def _split(self, path: Path) -> Iterator[list[bytes]]:
        deeper = Spill(path.with_suffix(""), self._bucket_bytes, self._level + 1)
        for digest, item in _items(path):
            deeper._put(digest, item)
        path.unlink()
        yield from deeper.groups()

    def _put(self, digest: bytes, item: bytes) -> None:
        bucket = digest[self._level]
        if bucket not in self._files:
            self._files[bucket] = self._path(bucket).open("wb", buffering=_BUFFER_BYTES)
        self._files[bucket].write(_HEADER.pack(digest, len(item)))
        self._files[bucket].write(item)
        self.item_count += 1

    def _path(self, bucket: int) -> Path:
        return self._folder / f"{bucket:02x}.bucket"


def _items(path: Path) -> Iterator[tuple[bytes, bytes]]:
    with path.open("rb") as file:
        while header := file.read(_HEADER.size):
            digest, size = _HEADER.unpack(header)
            yield digest, file.read(size)
