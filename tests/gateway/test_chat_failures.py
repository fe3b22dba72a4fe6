"""Calls that do not come to their end: the client is told, and the log says why they must not train."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from openai import APIError, APIStatusError

from clawstream.schemas import unpack_tokens
from clawstream.streams.settings import KafkaSettings
from tests.gateway.fake_node import CUT, DONE, FakeNode, announce, status_of
from tests.gateway.harness import MESSAGES, gateway, until
from tests.gateway.samples import answer_data, chunk_data

pytestmark = pytest.mark.kafka

START = answer_data([1, 2, 3], [10, 11], text="ab")[:2]
ERROR = {"error": {"message": "engine died", "type": "InternalServerError", "param": None, "code": 500}}


async def events(client: Any, **body: Any) -> list[bytes]:
    """The data of each event of a stream, as it came."""
    sent = {"messages": MESSAGES, "stream": True} | body
    async with client.http.post(f"{client.url}/t/g/v1/chat/completions", json=sent) as answer:
        assert answer.status == 200
        return [line.strip()[6:] async for line in answer.content if line.startswith(b"data: ")]


@pytest.mark.parametrize("ending", [[CUT], [], [ERROR, DONE], [b"data: {not json}\n\n", DONE]])
async def test_an_answer_that_breaks_off_is_an_error_and_does_not_train(kafka: KafkaSettings, ending: Any) -> None:
    async with gateway(kafka, FakeNode(script=lambda _: [*START, *ending])) as client:
        status, _, body = await client.chat()
        seen = await events(client)
        with pytest.raises(APIError):
            async for _chunk in await client.openai().chat.completions.create(
                model="x", messages=MESSAGES, stream=True
            ):
                pass
        steps = await client.steps(3)
    assert status in (500, 502)
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert "error" in json.loads(seen[-1])
    assert [(step.finish_reason, step.trainable) for step in steps] == [("abort", False)] * 3
    assert unpack_tokens(steps[0].response_tokens).tolist() == [10]


async def test_an_error_before_the_first_chunk_has_its_status(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode(script=lambda _: [ERROR, DONE])) as client:
        assert (await client.chat(stream=True))[0] == 500
        assert (await client.chat())[2] == ERROR


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"usage": {"prompt_tokens": 3, "completion_tokens": 5}}, "usage: 2 token ids but usage says 5"),
        ({"usage": {"prompt_tokens": 9, "completion_tokens": 2}}, "prompt: 3 prompt token ids but usage says 9"),
        ({"weight_versions": [{"version": "3", "start": 0, "end": 1}]}, "version: policy version spans cover"),
        ({"weight_versions": [{"version": "default", "start": 0, "end": 2}]}, "version: policy version unknown"),
        ({"finish_reason": "length"}, "length: "),
    ],
)
async def test_what_contradicts_itself_is_answered_and_does_not_train(
    kafka: KafkaSettings, changes: dict[str, Any], reason: str
) -> None:
    script = [*answer_data([1, 2, 3], [10, 11], **changes), DONE]
    async with gateway(kafka, FakeNode(script=lambda _: script)) as client:
        status, _, body = await client.chat()
        (step,) = await client.steps()
    assert (status, body["choices"][0]["message"]["content"]) == (200, "hello world")
    assert not step.trainable
    assert (step.untrainable_reason or "").startswith(reason)


async def test_plain_vllm_says_no_versions_and_nothing_is_guessed(kafka: KafkaSettings) -> None:
    script = [*answer_data([1, 2, 3], [10, 11], weight_versions=None), DONE]
    async with gateway(kafka, FakeNode(script=lambda _: script)) as client:
        await client.chat()
        (step,) = await client.steps()
    assert (step.trainable, step.untrainable_reason) == (False, "version: policy version unknown")


async def test_a_side_turn_is_recorded_and_does_not_train(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode()) as client:
        await client.chat(headers={"X-Turn-Type": "side"})
        (step,) = await client.steps()
    assert (step.turn_type, step.trainable) == ("side", False)
    assert (step.untrainable_reason or "").startswith("side: ")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_goes_away_stops_the_node(kafka: KafkaSettings, stream: bool) -> None:
    more = [part for token in (11, 12) for part in (0.02, chunk_data({"content": "w"}, tokens=[token]))]
    node = FakeNode(script=lambda _: [*START, *more, 60.0, DONE])
    async with gateway(kafka, node) as client:
        with pytest.raises(TimeoutError):
            await client.leave(stream=stream)
        await asyncio.wait_for(node.cancelled.wait(), 5)
        (step,) = await client.steps()
        assert client.gateway.in_flight == 0
    assert (step.finish_reason, step.trainable) == ("disconnect", False)
    assert unpack_tokens(step.response_tokens).tolist() == [10, 11, 12]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_goes_away_before_the_first_token_leaves_nothing(
    kafka: KafkaSettings, stream: bool
) -> None:
    node = FakeNode(script=lambda _: [60.0, DONE])
    async with gateway(kafka, node) as client:
        with pytest.raises(TimeoutError):
            await client.leave(stream=stream)
        await asyncio.wait_for(node.cancelled.wait(), 5)
        assert client.gateway.in_flight == 0


async def test_a_silent_node_is_given_up(kafka: KafkaSettings) -> None:
    silent, stuck = FakeNode(script=lambda _: [60.0]), FakeNode(script=lambda _: [*START, 60.0])
    async with gateway(kafka, silent, silence_seconds=0.3) as client:
        status, _, body = await client.chat()
    assert (status, body["error"]["code"]) == (504, "node_silent")
    async with gateway(kafka, stuck, silence_seconds=0.3) as client:
        await announce(kafka, status_of(silent, "n0", health="stopped"), status_of(stuck, "n1"))
        await until(lambda: [node.node for node in client.gateway.nodes.live()] == ["n1"])
        assert (await client.chat())[0] == 502
        (step,) = await client.steps()
    assert step.finish_reason == "abort"


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
async def test_a_nodes_refusal_keeps_its_status_and_body(kafka: KafkaSettings, status: int) -> None:
    refusal = web.json_response(ERROR, status=status, headers={"Retry-After": "7"})
    async with gateway(kafka, FakeNode(refusal=refusal)) as client:
        found, headers, body = await client.chat()
        with pytest.raises(APIStatusError) as raised:
            await client.openai().chat.completions.create(model="x", messages=MESSAGES, stream=True)
    assert (found, body, headers["Retry-After"]) == (status, ERROR, "7")
    assert raised.value.status_code == status


async def test_a_refusal_in_another_shape_gets_openais(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode(refusal=web.Response(status=418, text="teapot"))) as client:
        status, _, body = await client.chat()
    assert (status, body["error"]["message"]) == (418, "teapot")


async def test_a_node_that_cannot_be_reached_is_passed_over(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode()) as client:
        dead = [status_of(FakeNode(url="http://127.0.0.1:9"), f"dead-{n}") for n in range(5)]
        await announce(kafka, *dead)
        await until(lambda: len(client.gateway.nodes.live()) == 6)
        answers = [await client.chat(f"/t{n}/g/v1") for n in range(12)]
        assert len(client.gateway.nodes.live()) < 6
    assert {status for status, _, _ in answers} == {200}


async def test_a_node_that_hangs_up_before_its_first_event_is_passed_over(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode(), FakeNode(script=lambda _: [CUT])) as client:
        answers = [await client.chat(f"/t{n}/g/v1") for n in range(8)]
        assert len(await client.steps(8)) == 8
    assert {status for status, _, _ in answers} == {200}


async def test_a_call_waits_for_a_node_and_then_says_when_to_come_back(kafka: KafkaSettings) -> None:
    async with gateway(kafka, node_wait_seconds=0.3) as client:
        status, headers, body = await client.chat()
        assert (status, headers["Retry-After"], body["error"]["code"]) == (503, "1", "no_node")
        assert "0 are live, 0 are starting" in body["error"]["message"]
    async with gateway(kafka, node_wait_seconds=10.0) as client:
        waiting = asyncio.create_task(client.chat())
        await asyncio.sleep(0.3)
        assert not waiting.done()
        node = FakeNode()
        async with gateway(kafka, node):
            assert (await waiting)[0] == 200


async def test_a_step_that_kafka_does_not_take_is_no_success(kafka: KafkaSettings) -> None:
    small = kafka.model_copy(update={"max_record_bytes": 1100})
    long = [*answer_data([1] * 400, [10], text="a"), DONE]
    async with gateway(small, FakeNode(script=lambda _: long)) as client:
        status, headers, body = await client.chat()
        seen = await events(client)
    assert (status, body["error"]["code"], headers.get("Retry-After")) == (413, "not_recordable", None)
    assert json.loads(seen[-1])["error"]["code"] == "not_recordable"
    assert b"[DONE]" not in seen


async def test_more_calls_than_places_are_turned_away(kafka: KafkaSettings) -> None:
    go_on = asyncio.Event()
    node = FakeNode(script=lambda _: [go_on, *answer_data([1], [10], text="a"), DONE])
    async with gateway(kafka, node, max_in_flight=1) as client:
        first = asyncio.create_task(client.chat())
        await until(lambda: client.gateway.in_flight)
        status, headers, body = await client.chat()
        go_on.set()
        assert (await first)[0] == 200
    assert (status, headers["Retry-After"], body["error"]["code"]) == (429, "1", "busy")
