"""Every topic, every field of every record, and every schema that was ever written."""

import re

import pytest

from clawstream.cli.reference.topics import kind_of, topics
from clawstream.schemas.records import RECORDS
from clawstream.schemas.registry import committed
from clawstream.topics import CATALOGUE

PAGE = topics()


def test_every_topic_has_a_line() -> None:
    assert [topic.name for topic in CATALOGUE if f"\n| `{topic.name}` |" not in PAGE] == []


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_field_has_a_line(record: type) -> None:
    told = PAGE.split(f"\n## {record.__name__}\n")[1].split("\n## ")[0]
    assert [name for name in record.__struct_fields__ if f"| `{name}` |" not in told] == []


def test_every_schema_is_named() -> None:
    told = {int(number) for number in re.findall(r"\bid (\d+) is version", PAGE)}
    assert told == {version.schema_id for version in committed()}


def test_every_part_is_told_once() -> None:
    headings = re.findall(r"^##+ (\w+)$", PAGE, re.MULTILINE)
    links = set(re.findall(r"\(#(\w+)\)", PAGE))
    assert len(headings) == len(set(headings))
    assert links <= {heading.lower() for heading in headings}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (["null", "string"], "text or null"),
        ({"type": "long", "logicalType": "timestamp-millis"}, "time"),
        ({"type": "array", "items": "clawstream.PolicySpan"}, "list of [PolicySpan](#policyspan)"),
        ({"type": "map", "values": "double"}, "map of text to number"),
    ],
)
def test_types_in_words(kind: object, words: str) -> None:
    assert kind_of(kind) == words
