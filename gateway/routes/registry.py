"""The committed schemas, read-only, on the paths and in the JSON of Confluent's registry, for kcat, Kafka UI, Connect.

Invariant: a subject is a topic's name on this cluster with ``-value``; ids are those that records carry.
"""

import json

from aiohttp import web

from clawstream.gateway.context import GATEWAY
from clawstream.schemas.registry import CommittedSchema, by_id, committed
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import CATALOGUE


def subjects(kafka: KafkaSettings) -> dict[str, list[CommittedSchema]]:
    """Committed versions by subject, oldest first."""
    versions: dict[str, list[CommittedSchema]] = {}
    for entry in committed():
        versions.setdefault(entry.name, []).append(entry)
    return {f"{kafka.name(topic.name)}-value": versions[topic.record.__name__] for topic in CATALOGUE}


async def schema_by_id(request: web.Request) -> web.Response:
    """``GET /registry/schemas/ids/{id}``."""
    asked = request.match_info["id"]
    entry = by_id().get(int(asked)) if asked.isascii() and asked.isdigit() else None
    if entry is None:
        return _missing(40403, f"Schema {asked} not found")
    return web.json_response({"schema": json.dumps(entry.schema)})


async def list_subjects(request: web.Request) -> web.Response:
    """``GET /registry/subjects``."""
    return web.json_response(list(subjects(request.app[GATEWAY].kafka)))


async def list_versions(request: web.Request) -> web.Response:
    """``GET /registry/subjects/{subject}/versions``."""
    subject = request.match_info["subject"]
    found = subjects(request.app[GATEWAY].kafka).get(subject)
    if found is None:
        return _missing(40401, f"Subject '{subject}' not found.")
    return web.json_response([entry.version for entry in found])


async def one_version(request: web.Request) -> web.Response:
    """``GET /registry/subjects/{subject}/versions/{version}``, a number or ``latest``."""
    subject, asked = request.match_info["subject"], request.match_info["version"]
    found = subjects(request.app[GATEWAY].kafka).get(subject)
    if found is None:
        return _missing(40401, f"Subject '{subject}' not found.")
    wanted = str(found[-1].version) if asked in ("latest", "-1") else asked
    for entry in found:
        if str(entry.version) == wanted:
            described = {"subject": subject, "version": entry.version, "id": entry.schema_id}
            return web.json_response(described | {"schema": json.dumps(entry.schema)})
    return _missing(40402, f"Version {asked} not found.")


def _missing(code: int, message: str) -> web.Response:
    return web.json_response({"error_code": code, "message": message}, status=404)
