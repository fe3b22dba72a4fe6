"""An app that speaks vLLM's streaming protocol as a test wants it: cut, slow, refusing, contradicting itself.

It samples nothing; a real vLLM is in ``tests/loop``.
"""

import asyncio
import atexit
import contextlib
import functools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from clawstream.schemas import NodeStatus, encode, now
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import NODES
from tests.gateway.samples import a_node, answer_data

Script = list[Any]  # chunks; or DONE, CUT, a number of seconds to wait, or an Event to wait for
DONE, CUT = "done", "cut"


@dataclass(kw_only=True)
class FakeNode:
    """A node. ``script`` makes the events of the answer to a body."""

    script: Callable[[dict[str, Any]], Script] = lambda _: [*answer_data([1, 2, 3], [10, 11]), DONE]
    refusal: web.Response | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Any path, so that a test sees what was called."""
        self.paths.append(request.path)
        self.headers.append(dict(request.headers))
        body = await request.json()
        self.bodies.append(body)
        if self.refusal is not None:
            return web.Response(status=self.refusal.status, body=self.refusal.body, headers=dict(self.refusal.headers))
        if request.path == "/tokenize":
            return web.json_response({"count": 3, "max_model_len": 4096, "tokens": [1, 2, 3]})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        try:
            await response.prepare(request)
            for event in self.script(body):
                await self._play(request, response, event)
        except (asyncio.CancelledError, ConnectionError):
            self.cancelled.set()
            raise
        return response

    async def _play(self, request: web.Request, response: web.StreamResponse, event: Any) -> None:
        match event:
            case float():
                await asyncio.sleep(event)
            case asyncio.Event():
                await event.wait()
            case "cut":
                assert request.transport is not None
                request.transport.close()
                await asyncio.sleep(60)
            case "done":
                await response.write(b"data: [DONE]\n\n")
            case bytes():
                await response.write(event)
            case _:
                await response.write(b"data: " + msgspec.json.encode(event) + b"\n\n")


@contextlib.asynccontextmanager
async def running(node: FakeNode) -> AsyncIterator[FakeNode]:
    """``node`` on a free port."""
    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{tail:.*}", node.answer)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        node.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield node
    finally:
        await runner.cleanup()


async def announce(kafka: KafkaSettings, *statuses: NodeStatus) -> None:
    """Write ``statuses`` to the topic, as their nodes would."""
    producer = _producer(kafka.bootstrap_servers)
    sent = [
        producer.send_bytes(kafka.name(NODES.name), NODES.key(status).encode(), encode(status)) for status in statuses
    ]
    await asyncio.gather(*map(asyncio.wrap_future, sent))


@functools.cache
def _producer(bootstrap_servers: str) -> Producer:
    """One for all tests: an idempotent producer takes half a second to begin."""
    producer = Producer(KafkaSettings(bootstrap_servers=bootstrap_servers), "test-nodes")
    atexit.register(producer.close)
    return producer


def status_of(node: FakeNode, name: str = "n1", **fields: Any) -> NodeStatus:
    """A fresh heartbeat of ``node``."""
    return a_node(name, url=node.url, at=now(), **fields)
