"""Avro schemas derived from records, and the command that commits a new version.

Invariant: a committed schema is never edited. A changed record becomes the next version with the next id::

    python -m clawstream.schemas.derive      # writes avro/<Record>.<version>.avsc where a record has changed
"""

import json
import sys
from collections.abc import Iterator
from typing import Any, cast

from msgspec import NODEFAULT
from msgspec import inspect as shape

from clawstream.schemas.record import Record
from clawstream.schemas.records import RECORDS
from clawstream.schemas.registry import AVRO_FOLDER, IDS_FILE, NAMESPACE, committed

_PRIMITIVES: dict[type[shape.Type], Any] = {
    shape.StrType: "string",
    shape.LiteralType: "string",
    shape.IntType: "long",
    shape.FloatType: "double",
    shape.BoolType: "boolean",
    shape.BytesType: "bytes",
    shape.DateTimeType: {"type": "long", "logicalType": "timestamp-millis"},
}


def derive(record: type[Record]) -> dict[str, Any]:
    """The Avro schema of ``record``. Raises ``TypeError`` for a field type that no record should have."""
    described = cast(shape.StructType, shape.type_info(record))
    return _record(described, {record.__name__})


def _record(described: shape.StructType, seen: set[str]) -> dict[str, Any]:
    name = described.cls.__name__
    doc = (described.cls.__doc__ or "").strip().split("\n")[0]
    fields = [_field(field, seen) for field in described.fields]
    return {"type": "record", "name": name, "namespace": NAMESPACE, "doc": doc, "fields": fields}


def _field(field: shape.Field, seen: set[str]) -> dict[str, Any]:
    inner, doc = field.type, ""
    if isinstance(inner, shape.Metadata):
        doc, inner = (inner.extra_json_schema or {}).get("description", ""), inner.type
    avro: dict[str, Any] = {"name": field.encode_name, "type": _type(inner, seen), "doc": doc}
    if field.default is not NODEFAULT:
        avro["default"] = field.default
    elif field.default_factory is not NODEFAULT:
        avro["default"] = field.default_factory()
    return avro


def _type(inner: shape.Type, seen: set[str]) -> Any:
    if type(inner) in _PRIMITIVES:
        return _PRIMITIVES[type(inner)]
    match inner:
        case shape.Metadata(type=wrapped):
            return _type(wrapped, seen)
        case shape.ListType(item_type=item):
            return {"type": "array", "items": _type(item, seen)}
        case shape.DictType(value_type=value):
            return {"type": "map", "values": _type(value, seen)}
        case shape.UnionType(types=(*members,)):
            present = [member for member in members if not isinstance(member, shape.NoneType)]
            return ["null", *(_type(member, seen) for member in present)]
        case shape.StructType(cls=cls) if cls.__name__ in seen:
            return f"{NAMESPACE}.{cls.__name__}"
        case shape.StructType(cls=cls):
            seen.add(cls.__name__)
            return _record(inner, seen)
        case _:
            raise TypeError(f"a record cannot hold {inner!r}")


def changed() -> Iterator[tuple[str, dict[str, Any]]]:
    """Records whose derived schema is not the newest committed one: name and derived schema."""
    newest = {entry.name: entry.schema for entry in committed()}
    for record in RECORDS:
        schema = derive(record)
        if newest.get(record.__name__) != schema:
            yield record.__name__, schema


def main() -> None:
    """Commit a new version of each changed record."""
    ids: dict[str, list[int]] = json.loads(IDS_FILE.read_text()) if IDS_FILE.exists() else {}
    for name, schema in list(changed()):
        next_id = 1 + max((used for known in ids.values() for used in known), default=0)
        ids.setdefault(name, []).append(next_id)
        path = AVRO_FOLDER / f"{name}.{len(ids[name])}.avsc"
        path.write_text(json.dumps(schema, indent=2) + "\n")
        sys.stdout.write(f"{path.name}: id {next_id}\n")
    IDS_FILE.write_text(json.dumps(ids, indent=2) + "\n")


if __name__ == "__main__":
    main()
