"""A whole gateway in this process, on a real Kafka, with the nodes that a test brings."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
from openai import AsyncOpenAI

from clawstream.gateway.command import serving
from clawstream.gateway.context import Gateway
from clawstream.gateway.settings import GatewaySettings
from clawstream.schemas import Feedback, Step
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import FEEDBACK, STEPS
from tests.gateway.fake_node import FakeNode, announce, running, status_of

MESSAGES: Any = [{"role": "user", "content": "hi"}]


@dataclass(kw_only=True)
class Client:
    """Calls to a gateway, and what it left in the log."""

    gateway: Gateway
    kafka: KafkaSettings
    url: str
    http: aiohttp.ClientSession

    def openai(self, trajectory: str = "t", group: str = "g", **options: Any) -> Any:
        """The official client on one trajectory, without retries unless asked for."""
        base_url = f"{self.url}/{trajectory}/{group}/v1"
        return AsyncOpenAI(base_url=base_url, api_key="not-needed", **({"max_retries": 0} | options))

    async def chat(self, path: str = "/t/g/v1", headers: dict[str, str] | None = None, **body: Any) -> Any:
        """A call; its status, headers and JSON."""
        return await self.post(f"{path}/chat/completions", {"messages": MESSAGES} | body, headers)

    async def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """Any POST; its status, headers and JSON."""
        sent = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self.http.post(self.url + path, headers=headers, **sent) as answer:
            return answer.status, answer.headers, await answer.json()

    async def leave(self, seconds: float = 0.5, **body: Any) -> None:
        """Call, read as it comes, and go away after ``seconds``."""
        timeout = aiohttp.ClientTimeout(total=seconds)
        url = f"{self.url}/t/g/v1/chat/completions"
        async with self.http.post(url, json={"messages": MESSAGES} | body, timeout=timeout) as answer:
            await answer.read()

    async def get(self, path: str, headers: dict[str, str] | None = None) -> Any:
        """Any GET; its status and JSON."""
        async with self.http.get(self.url + path, headers=headers) as answer:
            return answer.status, await answer.json()

    async def all_steps(self) -> list[Step]:
        """The steps that are in the log now."""
        return await asyncio.to_thread(read_all, self.kafka, STEPS)

    async def steps(self, count: int = 1) -> list[Step]:
        """The steps in the log, once there are ``count``."""
        return await self._records(STEPS, count)

    async def feedback(self, count: int = 1) -> list[Feedback]:
        """The feedback in the log, once there are ``count``."""
        return await self._records(FEEDBACK, count)

    async def _records(self, topic: Any, count: int) -> list[Any]:
        for _ in range(100):
            records = await asyncio.to_thread(read_all, self.kafka, topic)
            if len(records) >= count:
                break
            await asyncio.sleep(0.1)
        assert len(records) == count
        return records


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for ``condition``; fail when it does not come true."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def gateway(kafka: KafkaSettings, *nodes: FakeNode, **settings: Any) -> AsyncIterator[Client]:
    """A gateway that routes to ``nodes``."""
    async with contextlib.AsyncExitStack() as stack:
        for node in nodes:
            await stack.enter_async_context(running(node))
        await announce(kafka, *(status_of(node, f"n{number}") for number, node in enumerate(nodes)))
        configured = GatewaySettings(**({"port": 0, "node_wait_seconds": 5.0, "drain_seconds": 2.0} | settings))
        parts, url = await stack.enter_async_context(serving(configured, kafka))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        await until(lambda: len(parts.nodes.live()) >= len(nodes))
        yield Client(gateway=parts, kafka=kafka, url=url, http=http)
