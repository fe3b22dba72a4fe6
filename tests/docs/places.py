"""What the pages that are run find around them: a log to look into, or a gateway to call."""

import asyncio
import contextlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from clawstream.streams.settings import KafkaSettings
from tests.agents.summing import adding_node
from tests.gateway.harness import gateway

URL, BROKER = "http://127.0.0.1:8100", "127.0.0.1:9092"  # as the pages name them


def kafka_environment(kafka: KafkaSettings) -> dict[str, str]:
    """Variables for commands that use this cluster."""
    return {
        "CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CLAWSTREAM_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
    }


@contextlib.contextmanager
def running_gateway(kafka: KafkaSettings) -> Iterator[str]:
    """The URL of a gateway whose node can add. It has a thread of its own: what a page shows may block."""
    url, loop, stop = Future[str](), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with gateway(kafka, adding_node()) as server:
            url.set_result(server.url)
            await stop.wait()

    with ThreadPoolExecutor(1) as thread, contextlib.closing(loop):
        served = thread.submit(loop.run_until_complete, serve())
        served.add_done_callback(lambda done: url.set_exception(done.exception()) if not url.done() else None)
        try:
            yield url.result()
        finally:
            loop.call_soon_threadsafe(stop.set)
            served.result()
