"""A real broker that hangs, or is killed and comes back: what was answered as recorded is in the log, once."""

import asyncio
import os
import signal
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest

from clawstream.streams.broker import LocalBroker
from clawstream.streams.cluster.admin import create_missing
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import STEPS
from tests.gateway.fake_node import DONE, FakeNode
from tests.gateway.harness import MESSAGES, Client, gateway, until
from tests.gateway.samples import answer_data

pytestmark = pytest.mark.kafka

OPTIONS: dict[str, Any] = {"seal_seconds": 0.5, "node_seconds": 300.0, "handover_seconds": 0.05}
MARK = b": x-clawstream-recorded: false\n\n"


@pytest.fixture(scope="module")
def victim() -> Iterator[LocalBroker]:
    """A broker for these tests alone."""
    with LocalBroker(port=0, ephemeral=True) as broker:
        yield broker


@pytest.fixture
def own(victim: LocalBroker) -> Iterator[LocalBroker]:
    """It, and however a test leaves it, it runs again for the next one."""
    yield victim
    if victim.running:
        os.kill(victim.pid, signal.SIGCONT)
    else:
        victim.start()


@pytest.fixture
def kafka(own: LocalBroker) -> KafkaSettings:
    """Topics on it."""
    settings = KafkaSettings(bootstrap_servers=own.bootstrap_servers, topic_prefix=f"t{uuid.uuid4().hex[:8]}-")
    create_missing(settings)
    return settings


class Traffic:
    """Calls, one after the other, by several callers."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.statuses: Counter[int] = Counter()
        self.recorded: list[str] = []  # steps that were answered as recorded
        self.marked: list[str] = []  # those that were answered as not

    async def call(self, number: int, stream: bool) -> None:
        """A call, and what it said of its step."""
        url = f"{self.client.url}/t{number}/g/v1/chat/completions"
        async with self.client.http.post(url, json={"messages": MESSAGES, "stream": stream}) as answer:
            self.statuses[answer.status] += 1
            data = await answer.read()
            if answer.status != 200:
                assert (answer.status, answer.headers["Retry-After"]) == (503, "1"), data
                return
            if stream and not data.endswith(b"data: [DONE]\n\n"):
                return
            marked = answer.headers.get("X-ClawStream-Recorded") == "false" or MARK in data
            (self.marked if marked else self.recorded).append(answer.headers["X-ClawStream-Step"])

    async def go_on(self, number: int) -> None:
        """Calls without end."""
        while True:
            with suppress(aiohttp.ClientError):
                await self.call(number, stream=number % 2 == 0)
            await asyncio.sleep(0.01)

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Eight callers."""
        callers = [asyncio.create_task(self.go_on(number)) for number in range(8)]
        try:
            await until(lambda: len(self.recorded) > 50)
            yield
            count = len(self.recorded)
            await until(lambda: len(self.recorded) > count + 50, 60)
        finally:
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)

    async def account(self) -> None:
        """Nothing that was answered as recorded is lost, nothing is doubled."""
        await self.client.gateway.settle()
        steps = await asyncio.to_thread(read_all, self.client.kafka, STEPS)
        found = Counter(step.step_id for step in steps)
        assert max(found.values()) == 1
        assert set(self.recorded) <= set(found)


@pytest.mark.parametrize("how", ["hangs", "is killed"])
async def test_calls_are_refused_while_kafka_is_out(own: LocalBroker, kafka: KafkaSettings, how: str) -> None:
    node = FakeNode()
    async with gateway(kafka, node, **OPTIONS) as client:
        traffic = Traffic(client)
        async with traffic.flowing():
            os.kill(own.pid, signal.SIGSTOP) if how == "hangs" else own.kill()
            await until(lambda: client.gateway.ledger.is_out)
            await asyncio.sleep(1.0)  # those under way have ended
            asked = len(node.bodies)
            status, headers, body = await client.chat()
            assert (status, body["error"]["code"], headers["Retry-After"]) == (503, "not_recorded", "1")
            said = {"kind": "rewarded", "reward": 1.0}
            assert (await client.post("/t/g/v1/feedback", said))[0] == 503
            assert (await client.post("/submit_steps", {"steps": []}))[0] == 503
            assert len(node.bodies) == asked
            assert await client.get("/ready") == (503, {"ready": False, "nodes_live": 1, "recording": False})
            os.kill(own.pid, signal.SIGCONT) if how == "hangs" else await asyncio.to_thread(own.start)
            await until(lambda: not client.gateway.ledger.is_out, 60)
        await traffic.account()
        assert (await client.get("/ready"))[0] == 200
        handover = client.gateway.handover
        assert handover is not None
        assert sum((await handover._tail.ends()).values()) >= len(traffic.recorded)
    assert set(traffic.statuses) == {200, 503}
    assert not traffic.marked


@pytest.mark.parametrize("how", ["hangs", "is killed"])
async def test_or_served_and_marked_as_not_recorded(own: LocalBroker, kafka: KafkaSettings, how: str) -> None:
    async with gateway(kafka, FakeNode(), outage="serve", **OPTIONS) as client:
        traffic = Traffic(client)
        async with traffic.flowing():
            os.kill(own.pid, signal.SIGSTOP) if how == "hangs" else own.kill()
            await until(lambda: len(traffic.marked) > 100)
            status, headers, _ = await client.chat(headers={"X-Session-Done": "1"})
            assert (status, headers["X-ClawStream-Recorded"]) == (200, "false")
            answer = await client.openai().chat.completions.create(model="x", messages=MESSAGES, stream=True)
            assert [chunk async for chunk in answer][-1].choices[0].finish_reason == "stop"
            assert (await client.post("/t/g/v1/feedback", {"kind": "completed"}))[0] == 503
            assert (await client.post("/submit_steps", {"steps": []}))[0] == 503
            assert await client.get("/ready") == (200, {"ready": True, "nodes_live": 1, "recording": False})
            async with client.http.get(f"{client.url}/metrics") as metrics:
                shown = await metrics.text()
            assert "clawstream_gateway_recording 0.0" in shown
            assert 'clawstream_gateway_unrecorded_steps_total{answer="served"}' in shown
            os.kill(own.pid, signal.SIGCONT) if how == "hangs" else await asyncio.to_thread(own.start)
            await until(lambda: not client.gateway.ledger.is_out, 60)
        await traffic.account()
    assert set(traffic.statuses) == {200}


async def test_an_outage_that_begins_within_a_stream_is_told_in_it(own: LocalBroker, kafka: KafkaSettings) -> None:
    wait = asyncio.Event()
    chunks = answer_data([1, 2, 3], [10, 11])
    node = FakeNode(script=lambda _: [*chunks[:2], wait, *chunks[2:], DONE])
    async with gateway(kafka, node, outage="serve", **OPTIONS) as client:
        call = asyncio.create_task(_read(client))
        await until(lambda: node.bodies)
        os.kill(own.pid, signal.SIGSTOP)
        wait.set()
        headers, data = await call
        os.kill(own.pid, signal.SIGCONT)
        assert "X-ClawStream-Recorded" not in headers
        assert data.count(MARK) == 1
        assert data.endswith(b"data: [DONE]\n\n")
        assert [step.step_id for step in await client.steps(1)] == [headers["X-ClawStream-Step"]]


async def test_what_can_never_be_recorded_is_no_503(broker: LocalBroker) -> None:
    kafka = KafkaSettings(
        bootstrap_servers=broker.bootstrap_servers, topic_prefix=f"large{os.getpid()}-", max_record_bytes=4096
    )
    await asyncio.to_thread(create_missing, kafka)
    async with gateway(kafka, FakeNode()) as client:
        status, headers, body = await client.chat(messages=[{"role": "user", "content": "x" * 5000}])
        assert (status, body["error"]["code"]) == (413, "not_recordable")
        assert "Retry-After" not in headers
        assert (await client.chat())[0] == 200
        assert not client.gateway.ledger.is_out


async def _read(client: Client) -> tuple[Any, bytes]:
    body = {"messages": MESSAGES, "stream": True}
    async with client.http.post(f"{client.url}/t/g/v1/chat/completions", json=body) as answer:
        return answer.headers, await answer.read()
