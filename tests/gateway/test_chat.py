"""Calls that succeed: what the client sees, and what is in the log."""

import asyncio
import json
from typing import Any

import pytest
from openai import OpenAI

from clawstream.schemas import unpack_logprobs, unpack_tokens
from clawstream.streams.settings import KafkaSettings
from tests.gateway.fake_node import DONE, FakeNode
from tests.gateway.harness import MESSAGES, gateway
from tests.gateway.samples import answer_data, chunk_data

pytestmark = pytest.mark.kafka

TOOLS: list[Any] = [{"type": "function", "function": {"name": "calc", "parameters": {"type": "object"}}}]


def tool_script(_: dict[str, Any]) -> list[Any]:
    """A tool call in three pieces, the markup's tokens held back by the parser as vLLM does."""
    call = {"index": 0, "id": "call-1", "type": "function", "function": {"name": "calc", "arguments": ""}}
    more = {"index": 0, "function": {"arguments": '{"expression": "1+1"}'}}
    return [
        chunk_data({"role": "assistant", "content": ""}, prompt_token_ids=[1, 2]),
        chunk_data({}, tokens=[20]),
        chunk_data({"tool_calls": [call]}, tokens=[21]),
        chunk_data({"tool_calls": [more]}, tokens=[22, 23]),
        chunk_data({}, tokens=[24], finish_reason="tool_calls"),
        chunk_data() | {"choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": 5, "total_tokens": 7}},
        chunk_data() | {"choices": [], "weight_versions": [{"version": "3", "start": 0, "end": 5}]},
        DONE,
    ]


async def test_a_whole_answer_is_in_the_log_as_it_was_sampled(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode()) as client:
        raw = await client.openai().chat.completions.with_raw_response.create(
            model="default", messages=MESSAGES, temperature=0.7, seed=5
        )
        answer = raw.parse()
        (step,) = await client.steps()
    assert answer.choices[0].message.content == "hello world"
    assert answer.choices[0].logprobs is None
    assert (answer.model, answer.usage and answer.usage.completion_tokens) == ("policy", 2)
    assert not hasattr(answer, "prompt_token_ids")
    assert raw.headers["x-clawstream-step"] == step.step_id
    assert (step.trajectory_id, step.group_id, step.channel, step.turn_type) == ("t", "g", "train", "main")
    assert unpack_tokens(step.prompt_tokens).tolist() == [1, 2, 3]
    assert unpack_tokens(step.response_tokens).tolist() == [10, 11]
    assert unpack_logprobs(step.response_logprobs).tolist() == [-0.5, -0.5]
    assert [(span.version, span.start, span.end) for span in step.policy_spans] == [(3, 0, 2)]
    assert (step.trainable, step.untrainable_reason, step.temperature) == (True, None, 0.7)
    assert json.loads(step.sampling_json) == {"temperature": 0.7, "seed": 5}
    assert json.loads(step.new_messages_json) == MESSAGES
    assert step.received_at <= (step.first_token_at or step.received_at) <= step.finished_at
    assert (step.attempt, step.finish_reason, step.text) == (1, "stop", "hello world")


async def test_a_stream_shows_each_chunk_before_the_node_goes_on(kafka: KafkaSettings) -> None:
    go_on = asyncio.Event()
    first, *rest = answer_data([1, 2, 3], [10, 11], text="ab")
    node = FakeNode(script=lambda _: [first, rest[0], go_on, *rest[1:], DONE])
    async with gateway(kafka, node) as client:
        texts = []
        async for chunk in await client.openai().chat.completions.create(
            model="x", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        ):
            go_on.set() if chunk.choices and chunk.choices[0].delta.content == "a" else None
            texts += [choice.delta.content for choice in chunk.choices]
            assert not hasattr(chunk, "weight_versions")
        (step,) = await client.steps()
    assert chunk.usage is not None
    assert "".join(texts) == "ab"
    assert unpack_tokens(step.response_tokens).tolist() == [10, 11]
    assert step.trainable


async def test_done_comes_after_the_step_is_in_the_log(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode()) as client:
        body = {"messages": MESSAGES, "stream": True}
        async with client.http.post(f"{client.url}/t/g/v1/chat/completions", json=body) as answer:
            assert answer.headers["X-ClawStream-Trajectory"] == "t"
            async for line in answer.content:
                if line.strip() == b"data: [DONE]":
                    assert len(await client.steps()) == 1
    assert line.strip() == b"" or line.strip() == b"data: [DONE]"


@pytest.mark.parametrize("stream", [False, True])
async def test_tools_work_with_the_openai_client(kafka: KafkaSettings, stream: bool) -> None:
    node = FakeNode(script=tool_script)
    async with gateway(kafka, node) as client:
        create = client.openai().chat.completions.create
        if stream:
            pieces = [
                piece
                async for chunk in await create(model="x", messages=MESSAGES, tools=TOOLS, stream=True)
                for piece in (chunk.choices[0].delta.tool_calls or [])
            ]
            assert [piece.index for piece in pieces] == [0, 0]
            arguments = "".join(piece.function.arguments or "" for piece in pieces if piece.function)
        else:
            answer = await create(model="x", messages=MESSAGES, tools=TOOLS, tool_choice="auto")
            assert answer.choices[0].finish_reason == "tool_calls"
            arguments = answer.choices[0].message.tool_calls[0].function.arguments
        (step,) = await client.steps()
    assert json.loads(arguments) == {"expression": "1+1"}
    assert node.bodies[0]["tools"] == TOOLS
    assert json.loads(step.tools_json or "") == TOOLS
    assert json.loads(step.tool_calls_json or "")[0]["id"] == "call-1"
    assert unpack_tokens(step.response_tokens).tolist() == [20, 21, 22, 23, 24]
    assert step.trainable


async def test_the_synchronous_openai_client_works(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode()) as client:
        sync = OpenAI(base_url=f"{client.url}/v1", api_key="x", max_retries=0)

        def call() -> tuple[str, str]:
            whole = sync.chat.completions.create(model="x", messages=MESSAGES)
            parts = sync.chat.completions.create(model="x", messages=MESSAGES, stream=True)
            text = "".join(chunk.choices[0].delta.content or "" for chunk in parts)
            return whole.choices[0].message.content or "", text

        assert await asyncio.to_thread(call) == ("hello world", "hello world")
        assert (await asyncio.to_thread(lambda: sync.models.list().data[0].id)) == "policy"
        first, second = await client.steps(2)
    assert first.trajectory_id != second.trajectory_id
    assert first.group_id != second.group_id


async def test_a_white_box_client_gets_ids_and_logprobs(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode()) as client:
        answer: Any = await client.openai().chat.completions.create(
            model="x", messages=MESSAGES, logprobs=True, top_logprobs=2, extra_body={"return_token_ids": True}
        )
    assert answer.choices[0].token_ids == [10, 11]
    assert answer.prompt_token_ids == [1, 2, 3]
    assert [entry.logprob for entry in answer.choices[0].logprobs.content] == [-0.5, -0.5]


async def test_turns_are_stored_once_and_resolve_to_the_prompts_that_were_sent(kafka: KafkaSettings) -> None:
    prompts = {1: [1, 2], 3: [1, 2, 10, 3], 5: [1, 2, 10, 3, 10, 4], 6: [7, 7]}
    node = FakeNode(script=lambda body: [*answer_data(prompts[len(body["messages"])], [10], text="a"), DONE])
    messages: list[Any] = [*MESSAGES]
    async with gateway(kafka, node) as client:
        for word in "xyz":
            await client.chat(messages=messages, tools=TOOLS)
            messages += [{"role": "assistant", "content": "a"}, {"role": "user", "content": word}]
        await client.chat(messages=messages[1:])  # an edited context
        one, two, three, edited = await client.steps(4)
    assert [unpack_tokens(step.prompt_tokens).tolist() for step in (one, two, three)] == [[1, 2], [3], [4]]
    assert (two.prompt_prefix and two.prompt_prefix.step_id) == one.step_id
    assert (three.prompt_prefix and three.prompt_prefix.step_id) == two.step_id
    assert (three.prompt_prefix and three.prompt_prefix.token_count) == 5
    assert json.loads(three.new_messages_json) == [{"role": "user", "content": "y"}]
    assert (one.tools_json is None, two.tools_json, three.tools_json) == (False, None, None)
    assert three.prompt_token_count == 6
    assert (edited.prompt_prefix, unpack_tokens(edited.prompt_tokens).tolist()) == (None, [7, 7])


async def test_a_step_says_who_called(kafka: KafkaSettings) -> None:
    headers = {
        "X-Session-Id": "session",
        "X-Turn-Type": "side",
        "X-ClawStream-Channel": "val",
        "X-ClawStream-Agent": "claw",
        "Idempotency-Key": "once",
        "x-stainless-retry-count": "1",
        "X-Session-Done": "1",
    }
    async with gateway(kafka, FakeNode()) as client:
        status, seen, _ = await client.chat("/v1", headers)
        (step,), (said,) = await client.steps(), await client.feedback()
    assert (status, seen["X-ClawStream-Trajectory"]) == (200, "session")
    assert (step.trajectory_id, step.group_id, step.turn_type, step.channel) == ("session", "session", "side", "val")
    assert (step.agent, step.request_key, step.attempt) == ("claw", "once", 2)
    assert (said.kind, said.trajectory_id) == ("completed", "session")


async def test_many_calls_at_one_time_are_each_in_the_log_once(kafka: KafkaSettings) -> None:
    node = FakeNode(script=lambda body: [*answer_data([int(body["messages"][0]["content"])], [10], text="a"), DONE])
    async with gateway(kafka, node) as client:
        calls = [
            client.chat(f"/t{n % 7}/g/v1", messages=[{"role": "user", "content": str(n)}], stream=False)
            for n in range(200)
        ]
        answers = await asyncio.gather(*calls)
        steps = await client.steps(200)
        assert client.gateway.in_flight == 0
    assert {status for status, _, _ in answers} == {200}
    assert sorted(int(unpack_tokens(step.prompt_tokens)[0]) for step in steps) == list(range(200))
    assert {headers["X-ClawStream-Step"] for _, headers, _ in answers} == {step.step_id for step in steps}
