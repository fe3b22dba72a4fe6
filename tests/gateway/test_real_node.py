"""Every dialect on a real vLLM: each call is a step that may train."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from anthropic import AsyncAnthropic

from clawstream.schemas import Step, unpack_logprobs, unpack_tokens
from clawstream.streams.reading.consumer import read_all
from clawstream.topics import STEPS
from tests.gateway.harness import MESSAGES, Client, gateway, until
from tests.vllm_node import VllmNode

pytestmark = [pytest.mark.vllm, pytest.mark.kafka]

TOOL = {"name": "calc", "description": "calculates", "parameters": {"type": "object"}}
CALL = 'so <tool_call>\n{"name": "calc", "arguments": {"e": "1+2"}}\n</tool_call>'
FORCED = {"structured_outputs": {"choice": [CALL]}}


@pytest.fixture
async def client(node: VllmNode) -> AsyncIterator[Client]:
    """A gateway before the session's node."""
    async with gateway(node.kafka) as connected:
        await until(lambda: connected.gateway.nodes.live())
        yield connected


def steps_of(client: Client, trajectory: str) -> list[Step]:
    return [step for step in read_all(client.kafka, STEPS) if step.trajectory_id == trajectory]


def may_train(steps: list[Step], count: int) -> list[Step]:
    assert [step.untrainable_reason for step in steps] == [None] * count
    assert all(step.policy_spans and len(step.response_tokens) for step in steps)
    return steps


def anthropic(client: Client, trajectory: str) -> AsyncAnthropic:
    return AsyncAnthropic(base_url=f"{client.url}/{trajectory}/g", api_key="x", max_retries=0)


async def test_chat_with_several_answers(client: Client) -> None:
    create = client.openai("r-chat").chat.completions.create
    whole = await create(model="policy", messages=MESSAGES, n=3, seed=1)
    assert len(whole.choices) == 3
    seen: dict[int, str] = {}
    async for chunk in await create(model="policy", messages=MESSAGES, n=2, stream=True):
        for choice in chunk.choices:
            seen[choice.index] = seen.get(choice.index, "") + (choice.delta.content or "")
    steps = may_train(steps_of(client, "r-chat"), 5)
    assert sorted(step.text for step in steps[:3]) == sorted(choice.message.content for choice in whole.choices)
    assert sorted(step.text for step in steps[3:]) == sorted(seen.values())
    assert len({step.prompt_tokens for step in steps}) == 1


async def test_whole_answers_of_many_tokens_hold_each_of_them(client: Client) -> None:
    said = "x" * 60 + " STOP " + "y" * 60  # a token for each letter: more than vLLM sends at once
    forced = {"return_token_ids": True, "structured_outputs": {"choice": [said]}}
    asked: dict[str, Any] = {"model": "policy", "max_tokens": 200, "extra_body": forced}
    openai = client.openai("r-many")
    for limits in ({}, {"stop": ["STOP"]}, {"max_tokens": 70}):
        chat = await openai.chat.completions.create(messages=MESSAGES, n=2, logprobs=True, **asked | limits)
        text = await openai.completions.create(prompt="hi", n=2, logprobs=1, **asked | limits)
        counts = [len(choice.logprobs.content) for choice in chat.choices]
        assert counts == [len(choice.token_ids) for choice in chat.choices]
        assert counts == [len(choice.logprobs.token_logprobs) for choice in text.choices]
        assert chat.usage.completion_tokens == text.usage.completion_tokens == sum(counts)
        assert {choice.message.content for choice in chat.choices} == {choice.text for choice in text.choices}
    steps = steps_of(client, "r-many")
    assert [len(step.text) for step in steps] == [126] * 4 + [61] * 4 + [70] * 4
    counts = [len(unpack_tokens(step.response_tokens)) for step in steps]
    assert counts == [127] * 4 + [65] * 4 + [70] * 4
    assert [len(unpack_logprobs(step.response_logprobs)) for step in steps] == counts
    assert [step.policy_spans[-1].end for step in steps] == counts
    assert [step.finish_reason for step in steps] == ["stop"] * 8 + ["length"] * 4


@pytest.mark.parametrize("prompt", ["hi there", [72, 105]])
async def test_completions(client: Client, prompt: Any) -> None:
    trajectory = f"r-completions-{type(prompt).__name__}"
    create = client.openai(trajectory).completions.create
    whole = await create(model="policy", prompt=prompt, max_tokens=200, logprobs=1)
    texts = [
        chunk.choices[0].text
        async for chunk in await create(model="policy", prompt=prompt, max_tokens=200, stream=True)
    ]
    first, second = may_train(steps_of(client, trajectory), 2)
    assert (first.text, second.text) == (whole.choices[0].text, "".join(texts))
    if isinstance(prompt, list):
        assert unpack_tokens(first.prompt_tokens).tolist() == prompt
    assert len(whole.choices[0].logprobs.token_logprobs) == len(unpack_tokens(first.response_tokens))


async def test_generations_are_one_chain_of_exact_tokens(client: Client) -> None:
    sent: dict[str, Any] = {"prompt_ids": [72, 105], "sampling_params": {"temperature": 1.0, "logprobs": True}}
    _, _, first = await client.post("/r-generate/g/v1/generate", sent)
    longer = [72, 105, *first["token_ids"], 10]
    status, _, second = await client.post("/r-generate/g/v1/generate", sent | {"prompt_ids": longer})
    one, two = may_train(steps_of(client, "r-generate"), 2)
    assert (status, second["stop_reason"]) == (200, "stop")
    assert unpack_tokens(one.response_tokens).tolist() == first["token_ids"]
    assert len(first["token_ids"]) == len(first["log_probs"]) > 0
    assert (two.prompt_prefix and two.prompt_prefix.step_id) == one.step_id
    assert unpack_tokens(two.prompt_tokens).tolist() == [10]


async def test_responses(client: Client) -> None:
    tools: Any = [{"type": "function", **TOOL}]
    responses = client.openai("r-responses").responses
    extra = FORCED | {"seed": 3}
    called = await responses.create(model="policy", input="1+2?", tools=tools, max_output_tokens=200, extra_body=extra)
    text, call = called.output
    assert (text.content[0].text.strip(), call.name, call.arguments) == ("so", "calc", '{"e": "1+2"}')
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "3"}
    given: Any = [{"role": "user", "content": "1+2?"}, *called.output, result]
    async with responses.stream(model="policy", input=given, tools=tools) as stream:
        last = await stream.get_final_response()
    one, two = may_train(steps_of(client, "r-responses"), 2)
    assert (one.finish_reason, two.branch_reason) == ("tool_calls", None)
    assert (two.prompt_prefix and two.prompt_prefix.step_id) == one.step_id
    assert two.text == last.output_text
    assert last.usage.output_tokens == two.response_token_count


async def test_messages(client: Client) -> None:
    messages = anthropic(client, "r-messages").messages
    tools: Any = [{"name": "calc", "input_schema": {"type": "object"}}]
    given: Any = [{"role": "user", "content": "1+2?"}]
    asked: Any = {"model": "policy", "max_tokens": 200, "tools": tools, "system": "You calculate."}
    async with messages.stream(messages=given, extra_body=FORCED, **asked) as stream:
        called = await stream.get_final_message()
    assert called.stop_reason == "tool_use"
    text, call = called.content
    assert (text.type, call.type, call.type == "tool_use" and call.input) == ("text", "tool_use", {"e": "1+2"})
    counted = await messages.count_tokens(model="policy", messages=given, tools=tools, system="You calculate.")
    assert counted.input_tokens == called.usage.input_tokens
    result = {"type": "tool_result", "tool_use_id": called.content[1].id, "content": "3"}  # type: ignore[union-attr]
    given += [{"role": "assistant", "content": called.content}, {"role": "user", "content": [result]}]
    last = await messages.create(messages=given, **asked)
    one, two = may_train(steps_of(client, "r-messages"), 2)
    assert (two.branch_reason, two.prompt_prefix and two.prompt_prefix.step_id) == (None, one.step_id)
    assert two.text == "".join(block.text for block in last.content if block.type == "text")
    assert last.usage.output_tokens == two.response_token_count
