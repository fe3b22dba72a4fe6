"""Identifiers: time-ordered for facts that happen, deterministic for facts that follow from others.

Invariant: :func:`derived_id` of the same parts is the same on every machine and every re-read.
"""

import hashlib
import time
from datetime import UTC, datetime

from uuid_utils import uuid7


def new_id() -> str:
    """A UUIDv7: unique, and ordered by time of creation."""
    return str(uuid7())


def derived_id(kind: str, *parts: str) -> str:
    """A 128-bit hex id of ``kind`` and ``parts``; parts are length-prefixed, so no two lists collide."""
    digest = hashlib.sha256(kind.encode())
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()[:32]


def now() -> datetime:
    """The present in UTC, cut to the milliseconds that Avro keeps."""
    return datetime.fromtimestamp(time.time_ns() // 1_000_000 / 1000, UTC)
