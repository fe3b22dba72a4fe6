"""Bodies that are many, large or slow: memory is bounded and nobody else notices."""

import asyncio
import gzip
import json

import pytest

from clawstream.streams.settings import KafkaSettings
from tests.gateway.fake_node import FakeNode
from tests.gateway.harness import MESSAGES, gateway, until

pytestmark = pytest.mark.kafka

PATH = "/t/g/v1/chat/completions"


async def begin(url: str, said_bytes: int, *more: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request that says how long its body is, and sends one byte of it."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [f"POST {PATH} HTTP/1.1", "Host: x", f"Content-Length: {said_bytes}", *more, "", "{"]
    writer.write("\r\n".join(lines).encode())
    return reader, writer


async def test_slow_large_bodies_have_bounded_room_and_a_time(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode(), bodies_mib=1, max_body_bytes=1 << 19, body_seconds=1.0) as client:
        slow = [await begin(client.url, 500_000) for _ in range(2)]
        bodies = client.gateway.bodies
        await until(lambda: bodies.held_bytes == 1_000_000)
        status, headers, body = await client.chat(seed=1, messages=[{"role": "user", "content": "x" * 60_000}])
        assert (status, body["error"]["code"], headers["Retry-After"]) == (429, "busy", "1")
        assert (await client.chat())[0] == 200
        for reader, writer in slow:
            assert (await reader.readline()).split()[1] == b"408"
            writer.close()
        await until(lambda: bodies.held_bytes == 0)
        assert (await client.chat(messages=[{"role": "user", "content": "x" * 60_000}]))[0] == 200


async def test_a_client_that_leaves_gives_its_room_back(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode()) as client:
        _, writer = await begin(client.url, 500_000)
        await until(lambda: client.gateway.bodies.held_bytes == 500_000)
        writer.close()
        await until(lambda: client.gateway.bodies.held_bytes == 0)


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode(), max_body_bytes=2048) as client:
        reader, writer = await begin(client.url, 10**12)
        assert (await reader.readline()).split()[1] == b"413"
        writer.close()
        assert client.gateway.bodies.held_bytes == 0


async def test_a_compressed_body_counts_as_the_largest_and_is_bounded_unpacked(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode(), max_body_bytes=100_000) as client:
        _, writer = await begin(client.url, 500, "Content-Encoding: gzip")
        await until(lambda: client.gateway.bodies.held_bytes == 100_000)
        writer.close()
        for size, status in ((10, 200), (10_000_000, 413)):
            body = gzip.compress(json.dumps({"messages": MESSAGES, "user": "x" * size}).encode())
            async with client.http.post(client.url + PATH, data=body, headers={"Content-Encoding": "gzip"}) as answer:
                assert answer.status == status


async def test_nothing_is_read_for_who_has_no_key(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode(), api_key="secret") as client:
        reader, writer = await begin(client.url, 500_000)
        assert (await reader.readline()).split()[1] == b"401"
        assert client.gateway.bodies.held_bytes == 0
        writer.close()


async def test_a_body_that_is_not_compressed_as_it_says_is_a_400(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode()) as client:
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        async with client.http.post(f"{client.url}/v1/chat/completions", data=b"{}", headers=headers) as answer:
            assert (answer.status, "cannot be read" in await answer.text()) == (400, True)
