"""Records that were decoded a moment ago and will be needed again soon. Pure.

Invariant: what is given back is what the bytes say; when there is too much, what was put in first goes first.
"""

from typing import Generic, TypeVar

R = TypeVar("R")


class RecordCache(Generic[R]):
    """Decoded records by key, of at most ``max_bytes`` undecoded."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._records: dict[bytes, tuple[R, int]] = {}

    def put(self, key: bytes, record: R, size_bytes: int) -> None:
        """Remember ``record``."""
        self.drop(key)
        self._records[key] = record, size_bytes
        self._bytes += size_bytes
        while self._bytes > self._max_bytes:
            self.drop(next(iter(self._records)))

    def get(self, key: bytes) -> R | None:
        """The record of ``key``, if it is still remembered."""
        found = self._records.get(key)
        return None if found is None else found[0]

    def drop(self, key: bytes) -> None:
        """Forget the record of ``key``."""
        found = self._records.pop(key, None)
        if found is not None:
            self._bytes -= found[1]

    def clear(self) -> None:
        """Forget everything."""
        self._records.clear()
        self._bytes = 0
