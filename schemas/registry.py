"""Every Avro schema that was ever written, with its id.

Invariant: ids and files are only ever added. ``avro/ids.json`` lists each record's ids by version; version ``n`` is
``avro/<Record>.<n>.avsc``.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

NAMESPACE = "clawstream"
AVRO_FOLDER = Path(__file__).parent / "avro"
IDS_FILE = AVRO_FOLDER / "ids.json"


@dataclass(frozen=True, kw_only=True)
class CommittedSchema:
    """One version of one record's schema."""

    schema_id: int  # as in the Confluent wire format
    name: str  # record name
    version: int  # counted from 1
    schema: dict[str, Any]  # parsed JSON


def committed() -> Iterator[CommittedSchema]:
    """All committed schemas, each record's oldest version first."""
    if not IDS_FILE.exists():
        return
    for name, ids in json.loads(IDS_FILE.read_text()).items():
        for version, schema_id in enumerate(ids, 1):
            schema = json.loads((AVRO_FOLDER / f"{name}.{version}.avsc").read_text())
            yield CommittedSchema(schema_id=schema_id, name=name, version=version, schema=schema)


@cache
def by_id() -> dict[int, CommittedSchema]:
    """Committed schemas by id."""
    return {entry.schema_id: entry for entry in committed()}


@cache
def newest() -> dict[str, CommittedSchema]:
    """Each record's newest committed schema, by record name."""
    return {entry.name: entry for entry in committed()}
