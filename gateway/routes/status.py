"""``/healthz``, ``/ready`` and ``/metrics``, and ``/health`` as Claw-R1's documents have it."""

import os

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from clawstream.gateway.context import GATEWAY
from clawstream.gateway.workers import METRICS_FOLDER


async def healthz(_: web.Request) -> web.Response:
    """The process is up, in OpenClaw-RL's very bytes."""
    return _json(200, {"ok": True})


async def health(_: web.Request) -> web.Response:
    """The same in Claw-R1's."""
    return _json(200, {"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """May a call be answered now? 503 while no node is live, unless a provider answers, and while calls are refused
    because Kafka is out."""
    gateway = request.app[GATEWAY]
    live = len(gateway.nodes.live())
    recording = not gateway.ledger.is_out
    is_ready = (live > 0 or gateway.provider is not None) and (recording or gateway.sealer.serves_unrecorded)
    return _json(200 if is_ready else 503, {"ready": is_ready, "nodes_live": live, "recording": recording})


async def metrics(request: web.Request) -> web.Response:
    """Prometheus metrics."""
    request.app[GATEWAY].measure()
    return web.Response(body=_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _json(status: int, value: dict[str, bool | int | str]) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")


def _latest() -> bytes:
    """What this process has counted; with several workers, what all have."""
    if METRICS_FOLDER not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
