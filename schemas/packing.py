"""Packed arrays: token ids as little-endian int32 bytes, log-probabilities as little-endian float32 bytes.

Invariant: ``unpack(pack(x)) == x``; decoding is one ``numpy.frombuffer`` and copies nothing.
"""

import hashlib
import struct
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

TOKEN_BYTES = 4
_TOKEN = np.dtype("<i4")
_LOGPROB = np.dtype("<f4")


def pack_tokens(token_ids: Iterable[int]) -> bytes:
    """Pack token ids, shape ``[T]``. Raises ``OverflowError`` for an id that is no int32."""
    ids = token_ids if isinstance(token_ids, list) else list(token_ids)
    try:
        return struct.pack(f"<{len(ids)}i", *ids)  # a third of what an array takes
    except struct.error as error:
        raise OverflowError(f"a token id is no int32: {error}") from error


def unpack_tokens(packed: bytes) -> NDArray[np.int32]:
    """Token ids, shape ``[T]``, read-only. ``ValueError`` for a length that is no multiple of 4."""
    return np.frombuffer(packed, dtype=_TOKEN)


def pack_logprobs(logprobs: Iterable[float]) -> bytes:
    """Pack log-probabilities in nats, shape ``[T]``."""
    values = logprobs if isinstance(logprobs, np.ndarray) else list(logprobs)
    return np.asarray(values, dtype=_LOGPROB).tobytes()


def unpack_logprobs(packed: bytes) -> NDArray[np.float32]:
    """Log-probabilities in nats, shape ``[T]``, read-only. ``ValueError`` for a length that is no multiple of 4."""
    return np.frombuffer(packed, dtype=_LOGPROB)


def tokens_digest(packed_tokens: bytes) -> str:
    """Hex SHA-256 of packed token ids: the hash in a step's ``prompt_prefix``."""
    return hashlib.sha256(packed_tokens).hexdigest()
