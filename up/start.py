"""Starting a whole ClawStream in the right order."""

import asyncio
import threading
import urllib.request

from clawstream.streams.cluster.admin import create_missing, wait_for_kafka
from clawstream.up.processes import Stack
from clawstream.up.supervisor import Supervisor

_BROKER_SECONDS = 180.0  # the first start downloads Kafka
_LOOK_AGAIN_SECONDS = 0.5


async def start_stack(supervisor: Supervisor, layout: Stack) -> None:
    """Start the broker, wait for it, create the topics, start the apps. Cancelled, it stops waiting within a second."""
    if layout.broker is not None:
        supervisor.start(layout.broker)
    cancelled = threading.Event()
    try:
        await asyncio.to_thread(wait_for_kafka, layout.kafka, _BROKER_SECONDS, cancelled.is_set)
    finally:
        cancelled.set()
    await asyncio.to_thread(create_missing, layout.kafka)
    for process in layout.apps:
        supervisor.start(process)


async def until_ready(gateway_url: str) -> None:
    """Return once the gateway answers calls: it records, and a node is live."""
    while True:
        if await asyncio.to_thread(_is_ready, f"{gateway_url}/ready"):
            return
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_LOOK_AGAIN_SECONDS) as answer:  # noqa: S310 - our own gateway's
            return bool(answer.status == 200)
    except OSError:  # not there yet, or 503
        return False
