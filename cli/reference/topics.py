"""The page of every topic and record: from the catalogue, and from the schemas that were ever written."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from clawstream.cli.reference.markdown import code, page, table
from clawstream.schemas.registry import CommittedSchema, committed, newest
from clawstream.topics import CATALOGUE, DAY_MS, Topic

_HEAD = """# Topics and records

<!-- python -m clawstream.cli.reference -->

Everything that happens is a record in a topic, and each topic has one writer. `kafka.topic_prefix` stands before each
name; a replay's own topics are these under its prefix. Scaled topics have `kafka.partitions` partitions, the others
one. What a reader could not read is in the topic's name with `.dead` behind it, as raw bytes with where they came from
and why."""
_FORMAT = """## The bytes

A record is Avro in the Confluent wire format: a zero byte, the schema's id in four bytes (big-endian), the body. The
gateway serves every schema at `/registry/schemas/ids/{id}` and `/registry/subjects`, read-only, so that kcat, Kafka UI
or Connect decode topics as they are. Token ids are packed little-endian int32 and log-probabilities packed
little-endian float32: `numpy.frombuffer(value, "<i4")`. Fields that end in `_json` are JSON as it came. Times are
milliseconds since 1970 in UTC.

## Changes

A schema that was written once is never edited and its id never used again. The next version of a record reads what
older ones wrote, and older readers read what it writes: new fields have a default, and nothing is renamed or taken
away. Golden bytes of each version are read by a test with every other. So processes of two versions can run side by
side, in any order of upgrading."""
_WORDS = {"string": "text", "long": "whole number", "double": "number", "boolean": "true or false", "bytes": "bytes"}


class _Names:
    """A record whose fields are their own names."""

    def __getattr__(self, name: str) -> str:
        return name


def topics() -> str:
    """The whole page."""
    return page(_HEAD, _catalogue(), _FORMAT, *_records(), "## Parts of records", *_parts())


def _catalogue() -> str:
    heads = ("topic", "record", "key", "writer", "kept", "partitions")
    return table(heads, [_topic(topic) for topic in CATALOGUE])


def _topic(topic: Topic[Any]) -> tuple[str, ...]:
    name = topic.record.__name__
    link, partitions = f"[{name}](#{name.lower()})", "scaled" if topic.scaled else "1"
    return code(topic.name), link, code(topic.key(_Names())), topic.writer, _kept(topic.retention_ms), partitions


def _kept(retention_ms: int | None) -> str:
    if retention_ms is None:
        return "the newest of each key"
    return f"{retention_ms // DAY_MS} days" if retention_ms > 0 else "for ever"


def _records() -> Iterator[str]:
    versions = list(committed())
    for topic in CATALOGUE:
        own = [version for version in versions if version.name == topic.record.__name__]
        yield f"## {topic.record.__name__}"
        yield f"{own[-1].schema['doc']} In `{topic.name}`."
        yield _fields(own[-1].schema)
        yield _history(own)


def _parts() -> Iterator[str]:
    """What records are made of and no topic carries by itself, each once."""
    told = {topic.record.__name__ for topic in CATALOGUE}
    waiting = [newest()[topic.record.__name__].schema for topic in CATALOGUE]
    while waiting:
        inner = list(nested(waiting.pop(0)))
        for each in inner:
            if each["name"] not in told:
                told.add(each["name"])
                yield f"### {each['name']}"
                yield each["doc"]
                yield _fields(each)
        waiting = [*inner, *waiting]


def nested(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Records that are defined in the fields of ``schema``, one level in."""
    for field in schema["fields"]:
        waiting = [field["type"]]
        while waiting:
            kind = waiting.pop()
            if isinstance(kind, list):
                waiting += kind
            elif isinstance(kind, dict) and kind["type"] == "record":
                yield kind
            elif isinstance(kind, dict):
                waiting += [kind[key] for key in ("items", "values") if key in kind]


def _fields(schema: dict[str, Any]) -> str:
    rows = [(code(field["name"]), kind_of(field["type"]), field["doc"]) for field in schema["fields"]]
    return table(("field", "is", "means"), rows)


def kind_of(kind: Any) -> str:
    """An Avro type in words. Example: ``["null", "string"]`` is ``text or null``."""
    if isinstance(kind, list):
        return " or ".join(kind_of(each) for each in sorted(kind, key=lambda each: each == "null"))
    if isinstance(kind, str):
        return _WORDS[kind] if kind in _WORDS else _link(kind.rsplit(".", 1)[-1])
    if "logicalType" in kind:
        return "time"
    if kind["type"] == "array":
        return f"list of {kind_of(kind['items'])}"
    if kind["type"] == "map":
        return f"map of text to {kind_of(kind['values'])}"
    return _link(kind["name"]) if kind["type"] == "record" else kind_of(kind["type"])


def _link(record: str) -> str:
    return "null" if record == "null" else f"[{record}](#{record.lower()})"


def _history(versions: list[CommittedSchema]) -> str:
    """The ids, and what each version brought."""
    said = [f"Schema id {versions[0].schema_id} is version 1"]
    for before, after in pairwise(versions):
        brought = [code(name) for name in _names(after.schema) if name not in _names(before.schema)]
        said.append(
            f"id {after.schema_id} is version {after.version}, with {', '.join(brought) or 'other descriptions'}"
        )
    return "; ".join(said) + "."


def _names(schema: dict[str, Any]) -> list[str]:
    """Fields, and those of parts that appear in it first."""
    own = [field["name"] for field in schema["fields"]]
    return own + [f"{inner['name']}.{name}" for inner in nested(schema) for name in _names(inner)]
