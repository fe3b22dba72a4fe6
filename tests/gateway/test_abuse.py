"""What clients do wrong, many times over: it is said to them, and costs nobody else anything."""

import asyncio
import json
import random
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from clawstream.streams.settings import KafkaSettings
from tests.gateway.fake_node import DONE, FakeNode
from tests.gateway.harness import MESSAGES, Client, gateway
from tests.gateway.samples import answer_data, chunk_data

pytestmark = pytest.mark.kafka

TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
GOOD: dict[str, dict[str, Any]] = {
    "/t/g/v1/chat/completions": {"messages": MESSAGES, "tools": [TOOL], "temperature": 1.0, "n": 1},
    "/t/g/v1/completions": {"prompt": "hi", "max_tokens": 5, "temperature": 1.0},
    "/t/g/v1/responses": {"input": "hi", "max_output_tokens": 16, "temperature": 1.0},
    "/t/g/v1/messages": {"messages": MESSAGES, "max_tokens": 5, "temperature": 1.0},
    "/t/g/v1/generate": {"prompt_ids": [1, 2, 3], "sampling_params": {"max_tokens": 5}},
    "/t/g/v1/feedback": {"kind": "rewarded", "reward": 1.0},
    "/t/g/v1/register_trajectory": {"channel": "val"},
    "/t/g/v1/complete_trajectory": {"reward": 1.0},
    "/submit_steps": {"steps": [{"prompt_ids": [1], "response_ids": [2]}]},
    "/api/curation": {"updates": [{"step_key": "t:0", "quality": "good"}]},
}
WRONG = [None, True, -1, 1e999, 2**80, "\ud800", "x" * 10_000, [], {}, [[]], [{}], {"role": 5}, "\0", float("nan")]
BROKEN = [b"", b"{", b"[]", b"5", b"\xff\xfe", b"null", b'{"a":', b"{}" * 3, b"[" * 5000, b'{"messages":' * 2000]


def malformed(random_: random.Random) -> tuple[str, bytes]:
    """A path, and a body that is not right there, or that by chance is."""
    path = random_.choice(list(GOOD))
    good = json.dumps(GOOD[path]).encode()
    match random_.randrange(4):
        case 0:
            return path, random_.choice(BROKEN)
        case 1:
            return path, good[: random_.randrange(1, len(good))]
        case 2:
            place = random_.randrange(len(good))
            return path, good[:place] + random_.randbytes(random_.randrange(1, 4)) + good[place + 1 :]
        case _:
            field = random_.choice(list(GOOD[path]))
            return path, json.dumps(GOOD[path] | {field: random_.choice(WRONG)}).encode()


async def test_a_thousand_malformed_bodies_are_each_refused_and_cost_nobody_else(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode()) as client:
        bodies = [malformed(random.Random(seed)) for seed in range(1250)]  # some are right by chance
        statuses: list[int] = []

        async def abuse(share: int) -> None:
            for path, body in bodies[share::8]:
                status, _, answer = await client.post(path, body)
                assert status == 200 or (400 <= status < 500 and answer), (path, body[:200], status, answer)
                statuses.append(status)

        async def work(number: int) -> None:
            while len(statuses) < len(bodies):
                assert (await client.chat(path=f"/healthy{number}/g/v1"))[0] == 200
                done[number] += 1

        done = [0, 0]
        await asyncio.gather(*(abuse(share) for share in range(8)), *(work(number) for number in range(2)))
        assert sum(status >= 400 for status in statuses) >= 1000
        assert min(done) > 0
        steps = await in_log(client, sum(done))
        assert [sum(step.trajectory_id == f"healthy{number}" for step in steps) for number in range(2)] == done
        assert client.gateway.in_flight == 0


async def in_log(client: Client, at_least: int) -> list[Any]:
    """Steps of healthy calls; those that a malformed body happened to make are left out."""
    steps: list[Any] = []
    for _ in range(100):
        steps = [step for step in await client.all_steps() if step.trajectory_id.startswith("healthy")]
        if len(steps) >= at_least:
            break
        await asyncio.sleep(0.1)
    return steps


async def test_one_that_does_not_read_is_left_and_slows_nobody(kafka: KafkaSettings) -> None:
    piece, count = "x" * 65_536, 400
    much = [chunk_data({"content": piece}, tokens=[1]) for _ in range(count)]

    def script(body: dict[str, Any]) -> list[Any]:
        return [*much, DONE] if body["messages"][0]["content"] == "much" else [*answer_data([1], [2]), DONE]

    node = FakeNode(script=script)
    async with gateway(kafka, node, silence_seconds=1.0) as client:
        with asking_for_much(client.url) as deaf:
            for _ in range(20):
                assert (await client.chat(path="/healthy/g/v1"))[0] == 200
            await asyncio.wait_for(node.cancelled.wait(), 20)
            step = next(step for step in await client.steps(21) if step.trajectory_id == "deaf")
            assert deaf.recv(1) == b"H"  # it could have read all the time
            assert not (await asyncio.to_thread(to_end, deaf)).endswith(b"0\r\n\r\n")  # as a whole answer would
    assert (step.finish_reason, step.trainable) == ("disconnect", False)
    assert len(step.text) < len(piece) * count / 2  # what a socket and the gateway hold, and no more


def to_end(connection: socket.socket) -> bytes:
    """All that lies there, once the other side has closed."""
    connection.settimeout(10)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    return b"".join(iter(lambda: connection.recv(1 << 20), b""))


def asking_for_much(url: str) -> socket.socket:
    """A connection that asks for a long stream, and of which nothing is read."""
    where = urlsplit(url)
    body = json.dumps({"messages": [{"role": "user", "content": "much"}], "stream": True}).encode()
    head = f"POST /deaf/g/v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((where.hostname, where.port))
    connection.sendall(head.encode() + body)
    return connection
