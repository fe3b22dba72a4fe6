"""A real vLLM whose text re-tokenises differently: a conversation stays one sequence of the sampled tokens."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI, BadRequestError

from clawstream.gateway.command import serving
from clawstream.gateway.settings import GatewaySettings
from clawstream.schemas import Step, new_id, unpack_tokens
from clawstream.schemas.reading.sequences import resolve
from clawstream.streams.reading.consumer import read_all
from clawstream.topics import STEPS
from tests.gateway.harness import until
from tests.gateway.processes import gateway_process
from tests.vllm_node import VllmNode

pytestmark = [pytest.mark.vllm, pytest.mark.kafka]

TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "calc", "parameters": {"type": "object", "properties": {"e": {}}}}}
]
CALL = 'so <tool_call>\n{"name": "calc", "arguments": {"e": "1+2"}}\n</tool_call>'


@contextlib.asynccontextmanager
async def a_gateway(node: VllmNode, **settings: Any) -> AsyncIterator[str]:
    """A gateway in this process before the real node; its URL."""
    async with serving(GatewaySettings(port=0, **settings), node.kafka) as (parts, url):
        await until(lambda: len(parts.nodes.live()) == 1)
        yield url


def client(url: str, trajectory: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{url}/{trajectory}/g/v1", api_key="x", max_retries=0, timeout=60)


async def answer(openai: AsyncOpenAI, messages: list[Any], stream: bool, **options: Any) -> dict[str, Any]:
    """The answer as a client puts it back into its messages."""
    asked: dict[str, Any] = {"model": "policy", "messages": messages, "max_tokens": 150} | options
    if not stream:
        whole = await openai.chat.completions.create(**asked)
        return whole.choices[0].message.model_dump()
    text, calls = "", list[dict[str, Any]]()
    async for chunk in await openai.chat.completions.create(stream=True, **asked):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            for piece in choice.delta.tool_calls or ():
                if piece.index == len(calls):
                    calls.append({"id": piece.id, "type": "function", "function": {"name": "", "arguments": ""}})
                calls[piece.index]["function"]["name"] += piece.function.name or ""
                calls[piece.index]["function"]["arguments"] += piece.function.arguments or ""
    return (
        {"role": "assistant", "content": text, "tool_calls": calls} if calls else {"role": "assistant", "content": text}
    )


def replies(said: dict[str, Any], turn: int) -> list[dict[str, Any]]:
    """What follows: each tool's result, or the user's next words."""
    calls = said.get("tool_calls") or ()
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "3"} for call in calls]
    return results or [{"role": "user", "content": f"and {turn}?"}]


async def converse(urls: list[str], trajectory: str, stream: bool, turns: int = 5) -> list[dict[str, Any]]:
    """A conversation whose turns go to ``urls`` in rotation; every other answer calls a tool. Its messages."""
    messages: list[Any] = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
    for turn in range(turns):
        forced = {"extra_body": {"structured_outputs": {"choice": [CALL]}}} if turn % 2 else {}
        openai = client(urls[turn % len(urls)], trajectory)
        said = await answer(openai, messages, stream, tools=TOOLS, seed=turn, **forced)
        assert bool(said.get("tool_calls")) == bool(turn % 2)
        messages += [said, *replies(said, turn)]
    return messages


async def steps_of(node: VllmNode, trajectory: str) -> list[Step]:
    found = await asyncio.to_thread(read_all, node.kafka, STEPS)
    return [step for step in found if step.trajectory_id == trajectory]


def assert_one_sequence(steps: list[Step], turns: int = 5) -> list[int]:
    """All steps are one sequence, stored once; its tokens."""
    assert [step.branch_reason for step in steps] == [None] * turns
    assert [step.prompt_prefix and step.prompt_prefix.step_id for step in steps] == [
        None,
        *(step.step_id for step in steps[:-1]),
    ]
    resolved = resolve(steps)
    assert (len(resolved.sequences), resolved.refusals) == (1, [])
    assert resolved.step_ids == [step.step_id for step in steps]
    return list(unpack_tokens(resolved.sequences[0].tokens).tolist())


@pytest.mark.parametrize("stream", [False, True], ids=["at once", "streamed"])
async def test_a_conversation_with_tools_is_one_sequence(node: VllmNode, stream: bool) -> None:
    trajectory = new_id()
    async with a_gateway(node) as url:
        messages = await converse([url], trajectory, stream)
    tokens = assert_one_sequence(await steps_of(node, trajectory))
    rendered = rendered_anew(node, messages[:-1])
    assert rendered[: len(tokens)] != tokens, "the text re-tokenises to the sampled ids, so this proves nothing"


def rendered_anew(node: VllmNode, messages: list[Any]) -> list[int]:
    body = {"model": "policy", "messages": messages, "tools": TOOLS, "max_tokens": 1, "return_token_ids": True}
    answered = httpx.post(f"{node.url}/v1/chat/completions", json=body, timeout=60).json()
    return list(answered["prompt_token_ids"])


@pytest.mark.parametrize("stream", [False, True], ids=["at once", "streamed"])
async def test_over_two_gateways_it_is_one_sequence_too(node: VllmNode, stream: bool) -> None:
    trajectory = new_id()
    async with a_gateway(node) as one, a_gateway(node) as other:
        await converse([one, other, other], trajectory, stream)
    assert_one_sequence(await steps_of(node, trajectory))


async def test_a_gateway_killed_between_turns_hands_over_through_the_log(node: VllmNode) -> None:
    trajectory = new_id()
    messages: list[Any] = [{"role": "user", "content": "hi"}]
    for turn in range(3):
        async with gateway_process(node.kafka) as (process, url):  # a process of its own for every turn
            said = await answer(client(url, trajectory), messages, stream=turn == 1)
            messages += [said, {"role": "user", "content": f"and {turn}?"}]
            process.kill()
            await process.wait()
    assert_one_sequence(await steps_of(node, trajectory), turns=3)


async def test_without_following_a_new_process_starts_a_branch_and_says_why(node: VllmNode) -> None:
    trajectory = new_id()
    messages: list[Any] = [{"role": "user", "content": "hi"}]
    for _ in range(2):
        async with a_gateway(node, handover=False) as url:
            said = await answer(client(url, trajectory), messages, stream=False)
            messages += [said, {"role": "user", "content": "more"}]
    _, second = await steps_of(node, trajectory)
    assert second.prompt_prefix is None
    assert (second.branch_reason or "").startswith("unknown: ")


async def test_an_answer_that_a_stop_string_ended_is_gone_on_from(node: VllmNode) -> None:
    trajectory = new_id()
    messages: list[Any] = [{"role": "user", "content": "hi"}]
    async with a_gateway(node) as url:
        for turn in range(3):
            forced = {"structured_outputs": {"choice": [f"thought {turn} Observation: 7"]}}
            openai = client(url, trajectory)
            said = await answer(openai, messages, stream=False, stop=["Observation:"], extra_body=forced)
            assert "Observation" not in (said["content"] or "")
            messages += [said, {"role": "user", "content": "Observation: 8"}]
    assert_one_sequence(await steps_of(node, trajectory), turns=3)


async def test_an_edited_history_starts_a_branch_where_it_was_edited(node: VllmNode) -> None:
    trajectory = new_id()
    async with a_gateway(node) as url:
        messages = await converse([url], trajectory, stream=False, turns=3)
        answers = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
        messages[answers[1]] = {"role": "assistant", "content": "I never said that"}
        edited = [*messages[: answers[1] + 1], {"role": "user", "content": "so?"}]
        await answer(client(url, trajectory), edited, stream=False, tools=TOOLS)
    first, *_, branch = await steps_of(node, trajectory)
    assert branch.prompt_prefix is not None
    assert branch.prompt_prefix.step_id == first.step_id
    assert (branch.branch_reason or "").startswith(f"edited: message {answers[1]} is an answer that no known step gave")


async def test_a_prompt_that_is_too_long_is_said_in_openais_words(node: VllmNode) -> None:
    async with a_gateway(node) as url:
        long: list[Any] = [{"role": "user", "content": "x" * 2000}]
        with pytest.raises(BadRequestError) as raised:
            await answer(client(url, new_id()), long, stream=False)
        assert raised.value.code == "context_length_exceeded"
        assert "maximum context length is 1024" in raised.value.message
        trajectory, messages = new_id(), list[Any]()
        messages.append({"role": "user", "content": "y" * 500})
        messages += [
            await answer(client(url, trajectory), messages, stream=False),
            {"role": "user", "content": "z" * 500},
        ]
        with pytest.raises(BadRequestError) as raised:
            await answer(client(url, trajectory), messages, stream=True, max_tokens=400)
        assert raised.value.code == "context_length_exceeded"
    (step,) = await steps_of(node, trajectory)
    assert json.loads(step.new_messages_json) == messages[:1]
