"""Starting a whole ClawStream in the right order."""

import asyncio
import threading

from clawstream.streams.admin import create_missing, wait_for_kafka
from clawstream.up.processes import Stack
from clawstream.up.supervisor import Supervisor

_BROKER_SECONDS = 180.0  # the first start downloads Kafka


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
