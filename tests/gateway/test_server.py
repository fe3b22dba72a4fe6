"""The server around the calls: who may call, what it shows of itself, how it stops."""

import asyncio
import json
import re
import signal
from typing import Any

import aiohttp
import pytest

from clawstream.gateway.command import over
from clawstream.schemas.registry import by_id
from clawstream.streams.errors import KafkaUnreachableError, ProducerBrokenError
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import CATALOGUE, STEPS
from tests.gateway.fake_node import DONE, FakeNode, announce, running, status_of
from tests.gateway.harness import MESSAGES, gateway, until
from tests.gateway.processes import gateway_process
from tests.gateway.samples import answer_data
from tests.streams.breaking import break_for_good

pytestmark = pytest.mark.kafka

DEV_MODE = (
    *("pause", "resume", "is_paused", "collective_rpc", "sleep", "wake_up", "is_sleeping", "reset_prefix_cache"),
    *("server_info", "update_weights", "init_weight_transfer_engine", "start_profile", "v1/load_lora_adapter"),
    *(
        "get_world_size",
        "scale_elastic_ep",
        "abort_requests",
        "tokenize",
        "detokenize",
        "load",
        "version",
        "invocations",
    ),
)
DISGUISES = (
    "/v1/../{}",
    "/v1/%2e%2e/{}",
    "/v1/%2E%2E%2F{}",
    "/v1/..%2f{}",
    "/v1//{}",
    "//{}",
    "/./{}",
    "/%2f{}",
    "/v1/chat/completions/../../../{}",
    "/v1/chat/completions%2f..%2f..%2f{}",
    "/v1/chat/completions/{}",
    "/v1/chat/completions;/{}",
    "/t/g/v1/chat/../../{}",
    "/v1/models/../../{}",
    "/v1/models/..%2f..%2f{}",
    "/%2e%2e/%2e%2e/v1/{}",
    "/v1\\..\\{}",
    "http://127.0.0.1/{}",
)
KEY = {"Authorization": "Bearer secret"}


async def test_a_key_is_asked_for_everywhere_but_on_health_and_metrics(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode(), api_key="secret") as client:
        assert (await client.chat(headers=KEY))[0] == 200
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"}):
            status, _, body = await client.chat(headers=headers)
            assert (status, body["error"]["code"]) == (401, "invalid_api_key")
            assert (await client.post("/init_trajectory", headers=headers))[0] == 401
            assert (await client.get("/registry/subjects", headers))[0] == 401
        assert (await client.get("/healthz")) == (200, {"ok": True})
        assert (await client.get("/health")) == (200, {"status": "ok"})
        assert (await client.get("/ready")) == (200, {"ready": True, "nodes_live": 1, "recording": True})
        async with client.http.get(f"{client.url}/metrics") as answer:
            assert answer.status == 200
        openai = client.openai()
        openai.api_key = "secret"
        assert (await openai.chat.completions.create(model="x", messages=MESSAGES)).choices


async def test_metrics_count_what_was_done(kafka: KafkaSettings) -> None:
    async with gateway(
        kafka, FakeNode(script=lambda _: [*answer_data([1], [10], finish_reason="length"), DONE])
    ) as client:
        await client.chat()
        async with client.http.get(f"{client.url}/metrics") as answer:
            text = await answer.text()
    route = 'route="/{trajectory}/{group}/v1/chat/completions"'
    assert re.search(rf"clawstream_gateway_requests_total{{{route},status=\"200\"}} [1-9]", text)
    assert re.search(r'untrainable_steps_total{kind="length"} [1-9]', text)
    for name in ("request_seconds", "first_token_seconds", "seal_seconds"):
        assert f"clawstream_gateway_{name}_count" in text
    assert "clawstream_gateway_nodes_live 1.0" in text
    assert "clawstream_gateway_in_flight 0.0" in text


async def test_the_registry_answers_as_confluents(kafka: KafkaSettings) -> None:
    subject = f"{kafka.topic_prefix}steps-value"
    async with gateway(kafka) as client:
        status, subjects = await client.get("/registry/subjects")
        assert (status, len(subjects)) == (200, len(CATALOGUE))
        assert subject in subjects
        assert await client.get(f"/registry/subjects/{subject}/versions") == (200, [1, 2])
        status, latest = await client.get(f"/registry/subjects/{subject}/versions/latest")
        assert (status, latest["subject"], latest["version"]) == (200, subject, 2)
        assert await client.get(f"/registry/subjects/{subject}/versions/2") == (200, latest)
        status, found = await client.get(f"/registry/schemas/ids/{latest['id']}")
        assert json.loads(found["schema"]) == by_id()[latest["id"]].schema
        for path, code in (
            ("schemas/ids/9999", 40403),
            ("schemas/ids/x", 40403),
            ("subjects/none/versions", 40401),
            ("subjects/none/versions/1", 40401),
            (f"subjects/{subject}/versions/9", 40402),
        ):
            status, body = await client.get(f"/registry/{path}")
            assert (status, body["error_code"]) == (404, code)


async def test_no_other_endpoint_of_a_node_is_called(kafka: KafkaSettings) -> None:
    node = FakeNode()
    async with gateway(kafka, node) as client:
        await client.chat()
        await client.get("/v1/models")
        for name in DEV_MODE:
            for path in (f"/{name}", f"/v1/{name}", f"/t/g/{name}", f"/t/g/v1/{name}", f"/t/../{name}/x/v1/{name}"):
                assert (await client.post(path, {}))[0] == 404
            for path in DISGUISES:
                for method in ("GET", "POST"):
                    status = await raw_status(client.url, method, path.format(name))
                    assert status in (400, 404, 405), (method, path, status)
    assert set(node.paths) == {"/v1/chat/completions"}


async def test_topics_that_are_missing_are_named(broker: Any) -> None:
    kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, topic_prefix="none-")
    with pytest.raises(KafkaUnreachableError, match="none-nodes"):
        async with gateway(kafka):
            pass


async def test_a_gateway_that_can_record_nothing_any_more_ends_and_says_why(kafka: KafkaSettings) -> None:
    wait, (first, *rest) = asyncio.Event(), answer_data([1], [10])
    node = FakeNode(script=lambda _: [first, wait, *rest, DONE])

    async def serve_until_over() -> None:
        async with gateway(kafka, node) as client:
            ending = asyncio.create_task(over(client.gateway, asyncio.Event()))
            calling = asyncio.create_task(client.chat())
            await until(lambda: node.bodies)
            assert not ending.done()
            break_for_good(client.gateway.ledger._producer)
            await asyncio.wait_for(ending, 10)
            wait.set()
            status, _, body = await calling
            assert (status, body["error"]["code"]) == (503, "not_recorded")

    with pytest.raises(ProducerBrokenError, match="takes nothing from this process any more"):
        await serve_until_over()


async def test_sigterm_ends_calls_in_flight_and_leaves_nothing_unsent(kafka: KafkaSettings) -> None:
    chunks = answer_data([1, 2, 3], [10, 11], text="ab")
    node = FakeNode(script=lambda body: [*chunks[:2], 60.0 if body.get("seed") else 1.0, *chunks[2:], DONE])
    async with running(node), aiohttp.ClientSession() as http:
        await announce(kafka, status_of(node))
        async with gateway_process(kafka) as (process, url):
            body = {"messages": MESSAGES, "stream": True}
            short = asyncio.create_task(_read(http, url, body))
            long = asyncio.create_task(_read(http, url, body | {"seed": 1}))
            await until(lambda: len(node.bodies) == 2)
            process.send_signal(signal.SIGTERM)
            assert (await short).endswith(b"data: [DONE]\n\n")
            assert await asyncio.wait_for(process.wait(), 15) == 0
            with pytest.raises((aiohttp.ClientError, AssertionError)):
                assert (await long).endswith(b"data: [DONE]\n\n")
    steps = await asyncio.to_thread(read_all, kafka, STEPS)
    assert sorted((step.finish_reason, step.trainable) for step in steps) == [("disconnect", False), ("stop", True)]


@pytest.mark.parametrize("stream", [False, True])
async def test_kill_9_loses_no_answered_call(kafka: KafkaSettings, stream: bool) -> None:
    chunks = answer_data([1], [10, 11], text="ab")
    node = FakeNode(script=lambda _: [*chunks[:1], 0.005, *chunks[1:], DONE])
    answered: list[str] = []
    async with running(node), aiohttp.ClientSession() as http:
        await announce(kafka, status_of(node))
        async with gateway_process(kafka, "--node-seconds", "300") as (process, url):

            async def worker(number: int) -> None:
                while True:
                    sent = {"messages": MESSAGES, "stream": stream}
                    async with http.post(f"{url}/t{number}/g/v1/chat/completions", json=sent) as answer:
                        read = await answer.read()
                        if not stream or read.endswith(b"data: [DONE]\n\n"):
                            answered.append(answer.headers["X-ClawStream-Step"])

            workers = [asyncio.create_task(worker(number)) for number in range(8)]
            await until(lambda: len(answered) >= 100)
            process.send_signal(signal.SIGKILL)
            await process.wait()
            await asyncio.gather(*workers, return_exceptions=True)
    recorded = [step.step_id for step in await asyncio.to_thread(read_all, kafka, STEPS)]
    assert len(recorded) == len(set(recorded))
    assert set(answered) <= set(recorded)


async def raw_status(url: str, method: str, path: str) -> int:
    """The status of a request whose path is sent as it is written here."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
        writer.write(head.encode())
        return int((await reader.read()).split()[1])
    finally:
        writer.close()


async def _read(http: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> bytes:
    async with http.post(f"{url}/t/g/v1/chat/completions", json=body) as answer:
        return await answer.read()
