"""``/healthz`` and ``/metrics``."""

import os

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from clawstream.gateway.context import GATEWAY
from clawstream.gateway.metrics import NODES_LIVE, RETRY_BYTES
from clawstream.gateway.workers import METRICS_FOLDER


async def healthz(request: web.Request) -> web.Response:
    """The process is up; how many nodes are live."""
    return web.json_response({"ok": True, "nodes_live": len(request.app[GATEWAY].nodes.live())})


async def metrics(request: web.Request) -> web.Response:
    """Prometheus metrics."""
    gateway = request.app[GATEWAY]
    NODES_LIVE.set(len(gateway.nodes.live()))
    RETRY_BYTES.set(gateway.retries.byte_count)
    return web.Response(body=_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _latest() -> bytes:
    """What this process has counted; with several workers, what all have."""
    if METRICS_FOLDER not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
