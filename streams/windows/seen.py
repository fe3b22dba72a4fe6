"""Which samples were consumed before, in bounded memory.

Invariant: the newest ``limit`` ids are remembered exactly, so a repeat within the last ``limit`` samples is always
recognised; ids are kept as 16-byte hashes, 16 bytes each on disk.
"""

import hashlib

_ID_BYTES = 16


class SeenSamples:
    """The newest sample ids, in the order in which they came."""

    def __init__(self, limit: int, packed: bytes = b"") -> None:
        """``packed``: what :meth:`pack` gave."""
        self._limit = limit
        self._ids = dict.fromkeys(packed[at : at + _ID_BYTES] for at in range(0, len(packed), _ID_BYTES))

    def __contains__(self, sample_id: str) -> bool:
        return _digest(sample_id) in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, sample_id: str) -> None:
        """Remember ``sample_id``, and forget the oldest beyond the limit."""
        self._ids[_digest(sample_id)] = None
        while len(self._ids) > self._limit:
            del self._ids[next(iter(self._ids))]

    def pack(self) -> bytes:
        """All ids, oldest first."""
        return b"".join(self._ids)


def _digest(sample_id: str) -> bytes:
    return hashlib.sha256(sample_id.encode()).digest()[:_ID_BYTES]
