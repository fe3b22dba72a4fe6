"""Records to bytes and back, in the Confluent wire format: byte 0, 4-byte big-endian schema id, Avro body.

Invariant: bytes written with any committed schema decode to today's record; bad bytes raise ``CodecError``, nothing
else.
"""

import io
import struct
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

import fastavro
import msgspec

from clawstream.schemas.record import Record
from clawstream.schemas.registry import by_id, newest

_MAGIC = 0
_HEADER = struct.Struct(">bI")
_NATIVE = (bytes, datetime)

R = TypeVar("R", bound=Record)


class CodecError(ValueError):
    """Bytes that are no record; retrying does not help."""


@cache
def _parsed(schema_id: int) -> Any:
    return fastavro.parse_schema(by_id()[schema_id].schema)


def encode(record: Record) -> bytes:
    """``record`` in the wire format, as its newest schema. Raises ``CodecError`` for a value outside its Avro type."""
    schema_id = newest()[type(record).__name__].schema_id
    body = io.BytesIO()
    body.write(_HEADER.pack(_MAGIC, schema_id))
    plain = msgspec.to_builtins(record, builtin_types=_NATIVE)
    try:
        fastavro.schemaless_writer(body, _parsed(schema_id), plain)
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        raise CodecError(f"{type(record).__name__} cannot be written as schema {schema_id}: {error}") from error
    return body.getvalue()


def decode(data: bytes, record: type[R]) -> R:
    """Read ``data`` as ``record``, whichever committed version wrote it. Raises ``CodecError`` saying what is wrong."""
    if len(data) < _HEADER.size:
        raise CodecError(f"{len(data)} bytes are too few: the wire format has a header of {_HEADER.size}")
    magic, schema_id = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise CodecError(f"first byte is {magic & 0xFF}, not {_MAGIC}: not the Confluent wire format")
    writer = by_id().get(schema_id)
    if writer is None:
        raise CodecError(f"schema id {schema_id} is not committed")
    if writer.name != record.__name__:
        raise CodecError(f"schema id {schema_id} is a {writer.name}, expected a {record.__name__}")
    return _read(data, schema_id, record)


def _read(data: bytes, schema_id: int, record: type[R]) -> R:
    body = io.BytesIO(data)
    body.seek(_HEADER.size)
    reader_schema = _parsed(newest()[record.__name__].schema_id)
    try:
        plain = fastavro.schemaless_reader(body, _parsed(schema_id), reader_schema)
        if body.tell() != len(data):
            raise CodecError(f"{record.__name__} ends at byte {body.tell()} of {len(data)}")
        return msgspec.convert(plain, record)
    except CodecError:
        raise
    except Exception as error:  # fastavro raises whatever the bytes lead it into: every one of them means bad bytes
        problem = f"{type(error).__name__}: {error}"
        raise CodecError(f"body is no {record.__name__} of schema {schema_id}: {problem}") from error
