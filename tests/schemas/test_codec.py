import contextlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.schemas import CodecError, Feedback, Step, decode, encode
from clawstream.schemas.derive import changed
from clawstream.schemas.records import RECORDS
from clawstream.schemas.registry import AVRO_FOLDER, CommittedSchema, committed
from tests.builders import a_feedback, a_step
from tests.schemas.make_golden import GOLDEN, examples

TYPES = {record.__name__: record for record in RECORDS}


@pytest.mark.parametrize("schema", list(committed()), ids=lambda schema: f"{schema.name}.{schema.version}")
def test_golden_bytes_of_every_version_still_decode(schema: CommittedSchema) -> None:
    stem = GOLDEN / f"{schema.name}.{schema.version}"
    data = bytes.fromhex(Path(f"{stem}.hex").read_text())
    expected = msgspec.json.decode(Path(f"{stem}.json").read_bytes(), type=TYPES[schema.name])
    assert data[:5] == b"\0" + schema.schema_id.to_bytes(4, "big")
    assert decode(data, TYPES[schema.name]) == expected


@pytest.mark.parametrize("record", examples(), ids=lambda record: type(record).__name__)
def test_today_writes_the_newest_golden_bytes(record: msgspec.Struct) -> None:
    name = type(record).__name__
    newest = max(GOLDEN.glob(f"{name}.*.hex"), key=lambda path: int(path.name.split(".")[1]))
    assert encode(record).hex() == newest.read_text().strip()


def test_every_record_is_as_its_committed_schema_says() -> None:
    assert [name for name, _ in changed()] == []


def test_ids_are_unique() -> None:
    ids = [schema.schema_id for schema in committed()]
    assert len(ids) == len(set(ids)) == len(list(AVRO_FOLDER.glob("*.avsc")))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "0 bytes are too few"),
        (b"\1\0\0\0\1x", "first byte is 1"),
        (b"\0\0\0\3\xe7", "schema id 999 is not committed"),
        (encode(a_feedback()), "is a Feedback, expected a Step"),
        (encode(a_step())[:-3], "body is no Step"),
        (encode(a_step()) + b"!", "ends at byte"),
    ],
    ids=["too few", "another format", "no schema", "another record", "cut", "too many"],
)
def test_bad_bytes_are_told_apart(data: bytes, sentence: str) -> None:
    with pytest.raises(CodecError, match=sentence):
        decode(data, Step)


@given(body=st.binary(max_size=200))
def test_random_bodies_never_raise_anything_else(body: bytes) -> None:
    header = encode(a_feedback())[:5]
    with contextlib.suppress(CodecError):
        assert isinstance(decode(header + body, Feedback), Feedback)


def test_a_value_outside_its_type_is_named() -> None:
    with pytest.raises(CodecError, match="Feedback cannot be written as schema 2"):
        encode(a_feedback(reward="high"))
