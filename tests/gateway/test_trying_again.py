"""Retries against a whole gateway: one upstream call, one step, the same answer; and what happens when that is lost."""

import asyncio
import contextlib
import signal
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from anthropic import AsyncAnthropic
from openai import APITimeoutError

from clawstream.schemas.reading.sequences import resolve
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import STEPS
from tests.gateway.fake_node import DONE, FakeNode, announce, running, status_of
from tests.gateway.harness import MESSAGES, gateway, until
from tests.gateway.processes import gateway_process
from tests.gateway.samples import answer_data, several

pytestmark = pytest.mark.kafka

KEY = {"Idempotency-Key": "k"}
CHUNKS = answer_data([1, 2, 3], [10, 11], text="ab")
CHAT = "/t/g/v1/chat/completions"


async def ask(client: Any, stream: bool = False, headers: Any = KEY, path: str = CHAT, **body: Any) -> Any:
    """A call; its status, step, whether it was replayed, and its bytes."""
    sent = {"messages": MESSAGES, "stream": stream} | body
    async with client.http.post(client.url + path, json=sent, headers=headers) as answer:
        said = answer.headers
        replayed = "Idempotent-Replayed" in said
        return answer.status, said.get("X-ClawStream-Step"), replayed, await answer.read()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_storm_of_retries_is_one_call_and_one_step(kafka: KafkaSettings, stream: bool) -> None:
    go_on = asyncio.Event()
    node = FakeNode(script=lambda _: [*CHUNKS[:2], go_on, *CHUNKS[2:], DONE])
    async with gateway(kafka, node) as client:
        storm = [asyncio.create_task(ask(client, stream)) for _ in range(100)]
        await until(lambda: client.gateway.in_flight == 100)
        go_on.set()
        answers = await asyncio.gather(*storm)
        late = await ask(client, stream)
        assert client.gateway.in_flight == 0
        (step,) = await client.steps()
    assert {(status, step_id, said) for status, step_id, _, said in answers} == {(200, step.step_id, late[3])}
    assert sorted(replayed for _, _, replayed, _ in answers) == [False] + [True] * 99
    assert late == (200, step.step_id, True, answers[0][3])
    assert len(node.bodies) == 1
    assert (step.request_key, step.trainable) == ("k", True)
    if stream:
        assert late[3].endswith(b"data: [DONE]\n\n")


async def test_who_joins_a_stream_gets_what_has_come_and_then_the_rest(kafka: KafkaSettings) -> None:
    go_on = asyncio.Event()
    async with gateway(kafka, FakeNode(script=lambda _: [*CHUNKS[:2], go_on, *CHUNKS[2:], DONE])) as client:
        sent = {"messages": MESSAGES, "stream": True}
        async with client.http.post(client.url + CHAT, json=sent, headers=KEY) as first:
            begun = await first.content.readuntil(b'"content":"a"')
            async with client.http.post(client.url + CHAT, json=sent, headers=KEY) as second:
                assert await second.content.readuntil(b'"content":"a"') == begun
                go_on.set()
                assert await second.content.read() == await first.content.read()
        await client.steps()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_goes_on_for_those_who_wait_when_its_first_client_leaves(
    kafka: KafkaSettings, stream: bool
) -> None:
    go_on = asyncio.Event()
    node = FakeNode(script=lambda _: [*CHUNKS[:2], go_on, *CHUNKS[2:], DONE])
    async with gateway(kafka, node, retry_grace_seconds=0) as client:
        first = asyncio.create_task(ask(client, stream))
        await until(lambda: client.gateway.in_flight == 1)
        second = asyncio.create_task(ask(client, stream))
        await until(lambda: client.gateway.in_flight == 2)
        first.cancel()
        await until(lambda: client.gateway.in_flight == 2 and first.cancelled())
        await asyncio.sleep(0.1)
        go_on.set()
        status, step_id, _, _ = await second
        (step,) = await client.steps()
    assert (status, step_id, step.trainable, len(node.bodies)) == (200, step.step_id, True, 1)
    assert not node.cancelled.is_set()


async def test_an_sdk_that_times_out_gets_the_answer_of_its_first_try(kafka: KafkaSettings) -> None:
    node = FakeNode(script=lambda _: [CHUNKS[0], 2.0, *CHUNKS[1:], DONE])
    async with gateway(kafka, node) as client:
        openai = client.openai(timeout=1.0, max_retries=2)
        answer = await openai.chat.completions.create(model="x", messages=MESSAGES)
        (step,) = await client.steps()
    assert (answer.choices[0].message.content, len(node.bodies), step.trainable) == ("ab", 1, True)


async def test_anthropics_sdk_that_times_out_gets_the_answer_of_its_first_try(kafka: KafkaSettings) -> None:
    node = FakeNode(script=lambda _: [CHUNKS[0], 2.0, *CHUNKS[1:], DONE])
    async with gateway(kafka, node) as client:
        anthropic = AsyncAnthropic(base_url=f"{client.url}/t/g", api_key="none", timeout=1.0, max_retries=2)
        answer = await anthropic.messages.create(model="x", max_tokens=9, messages=MESSAGES)
        (step,) = await client.steps()
    assert (answer.content[0].type, len(node.bodies), step.trainable) == ("text", 1, True)


async def test_an_sdk_that_gives_up_stops_the_node_after_the_grace_time(kafka: KafkaSettings) -> None:
    node = FakeNode(script=lambda _: [*CHUNKS[:2], 60.0, DONE])
    async with gateway(kafka, node, retry_grace_seconds=0.5) as client:
        with pytest.raises(APITimeoutError):
            await client.openai(timeout=0.5).chat.completions.create(model="x", messages=MESSAGES)
        assert not node.cancelled.is_set()
        await asyncio.wait_for(node.cancelled.wait(), 5)
        (step,) = await client.steps()
    assert (step.finish_reason, step.trainable) == ("disconnect", False)


async def test_an_sdk_that_closes_its_stream_stops_the_node_at_once(kafka: KafkaSettings) -> None:
    node = FakeNode(script=lambda _: [*CHUNKS[:2], 60.0, DONE])
    async with gateway(kafka, node, retry_grace_seconds=60) as client:
        stream = await client.openai().chat.completions.create(model="x", messages=MESSAGES, stream=True)
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        await stream.close()
        await asyncio.wait_for(node.cancelled.wait(), 5)
        (step,) = await client.steps()
    assert (step.finish_reason, step.trainable) == ("disconnect", False)


async def test_an_answer_that_came_while_nobody_listened_does_not_train(kafka: KafkaSettings) -> None:
    node = FakeNode(script=lambda _: [*CHUNKS[:2], 0.6, *CHUNKS[2:], DONE])
    async with gateway(kafka, node, retry_grace_seconds=1.0) as client:
        with pytest.raises(APITimeoutError):
            await client.openai(timeout=0.3).chat.completions.create(model="x", messages=MESSAGES)
        (step,) = await client.steps()
    assert (step.finish_reason, step.trainable) == ("disconnect", False)


async def test_a_key_with_another_body_is_refused(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode()) as client:
        await ask(client)
        status, _, answer = await client.chat(headers=KEY, seed=1)
        other = await ask(client, path="/u/g/v1/chat/completions", seed=1)
        await client.steps(2)
    assert (status, answer["error"]["code"], answer["error"]["param"]) == (
        422,
        "idempotency_key_reused",
        "Idempotency-Key",
    )
    assert other[0] == 200


async def test_a_key_without_a_trajectory_has_one_for_all_its_tries(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode(), retry_mib=0) as client:
        first, second = await ask(client, path="/v1/chat/completions"), await ask(client, path="/v1/chat/completions")
        steps = await client.steps(2)
    assert (first[0], second[0]) == (200, 200)
    assert len({step.trajectory_id for step in steps}) == 1
    assert len(resolve(steps).step_ids) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_errors_are_not_remembered(kafka: KafkaSettings, stream: bool) -> None:
    node = FakeNode(refusal=web.json_response({"error": {"message": "busy"}}, status=503))
    async with gateway(kafka, node) as client:
        assert (await ask(client, stream))[0] == 503
        node.refusal, node.script = None, lambda _: [*CHUNKS[:2], "cut"]
        assert (await ask(client, stream))[2] is False
        node.script = lambda _: [*CHUNKS, DONE]
        status, _, replayed, _ = await ask(client, stream)
        assert (status, replayed) == (200, False)
        steps = await client.steps(2)
    assert [step.trainable for step in steps] == [False, True]


async def test_several_answers_are_replayed_together(kafka: KafkaSettings) -> None:
    script = [*several([CHUNKS, CHUNKS]), DONE]
    async with gateway(kafka, FakeNode(script=lambda _: script)) as client:
        first, again = await ask(client, n=2), await ask(client, n=2)
        steps = await client.steps(2)
    assert first[1] == again[1] == ", ".join(step.step_id for step in steps)


async def test_tries_at_two_gateways_train_once(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode(script=lambda _: [*CHUNKS, DONE])) as one, gateway(kafka) as other:
        await until(lambda: other.gateway.nodes.live())
        await ask(one, headers={"x-stainless-retry-count": "0"})
        await ask(other, headers={"x-stainless-retry-count": "1"})
        await asyncio.gather(ask(one), ask(other))
        steps = await one.steps(4)
    resolved = resolve(steps)
    assert sorted(refusal.reason for refusal in resolved.refusals) == ["superseded", "superseded"]
    assert len(resolved.step_ids) == 2


async def test_a_retry_after_kill_9_runs_again_and_trains_once(kafka: KafkaSettings) -> None:
    """Between answer and retry the gateway is killed: who starts next knows no answer, but its step tells."""
    async with running(FakeNode(script=lambda _: [*CHUNKS, DONE])) as node, aiohttp.ClientSession() as http:
        await announce(kafka, status_of(node))
        answered: list[str] = []
        for _ in range(2):
            async with gateway_process(kafka, "--node-seconds", "300") as (process, url):
                async with http.post(url + CHAT, json={"messages": MESSAGES}, headers=KEY) as answer:
                    assert answer.status == 200
                    answered.append(answer.headers["X-ClawStream-Step"])
                process.send_signal(signal.SIGKILL)
                with contextlib.suppress(asyncio.TimeoutError):
                    await process.wait()
    steps = await asyncio.to_thread(read_all, kafka, STEPS)
    resolved = resolve(steps)
    assert [step.step_id for step in steps] == answered
    assert resolved.step_ids == answered[1:]
    assert [(refusal.step.step_id, refusal.reason) for refusal in resolved.refusals] == [(answered[0], "superseded")]
