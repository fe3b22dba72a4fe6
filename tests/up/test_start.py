"""Starting and giving up."""

import asyncio
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from clawstream.streams.process.ports import free_port
from clawstream.streams.settings import KafkaSettings
from clawstream.up.processes import Stack
from clawstream.up.start import start_stack, until_ready
from clawstream.up.supervisor import Supervisor


def test_waiting_for_a_kafka_that_does_not_answer_ends_when_cancelled() -> None:
    """asyncio waits for its threads at the end, so the thread must notice."""
    kafka = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}")
    layout = Stack(kafka=kafka, gateway_url="", broker=None, apps=())

    async def give_up_soon() -> None:
        async with asyncio.timeout(0.5):
            await start_stack(Supervisor(lambda *_: None), layout)

    started = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(give_up_soon())
    assert time.monotonic() - started < 60  # not the minutes that a first start may take


def test_it_is_ready_when_the_gateway_says_so() -> None:
    asked = []

    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if len(asked) == 3 else 503)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Ready) as server:
        threading.Thread(target=server.serve_forever).start()
        asyncio.run(until_ready(f"http://127.0.0.1:{server.server_port}"))
        server.shutdown()
    assert asked == ["/ready"] * 3
