"""Every dialect over HTTP, read by the official clients: what they see, and what is in the log."""

import asyncio
import json
from typing import Any

import anthropic
import openai
import pytest
from aiohttp import web
from anthropic import AsyncAnthropic

from clawstream.gateway.chat.sse import SseDecoder
from clawstream.schemas import unpack_tokens
from clawstream.schemas.reading.sequences import resolve
from clawstream.streams.settings import KafkaSettings
from tests.gateway.fake_node import DONE, FakeNode
from tests.gateway.harness import MESSAGES, Client, gateway
from tests.gateway.samples import answer_data, chunk_data, completion_data, several

pytestmark = pytest.mark.kafka

TOOLS: list[Any] = [{"type": "function", "name": "calc", "parameters": {"type": "object"}, "strict": False}]
BODIES: dict[str, dict[str, Any]] = {
    "chat/completions": {"messages": MESSAGES},
    "completions": {"prompt": "hi"},
    "responses": {"input": "hi"},
    "messages": {"messages": MESSAGES, "max_tokens": 9},
}
ERROR = {"error": {"message": "engine died", "type": "InternalServerError", "param": None, "code": 500}}


def a_call(index: int, call_id: str, argument: str) -> list[dict[str, Any]]:
    start = {"index": index, "id": call_id, "type": "function", "function": {"name": "calc", "arguments": '{"e"'}}
    more = {"index": index, "function": {"arguments": f': "{argument}"}}'}}
    return [{"tool_calls": [start]}, {"tool_calls": [more]}]


def thinking_and_calling(_: dict[str, Any]) -> list[Any]:
    """Reasoning, text and two tool calls."""
    deltas = [
        {"reasoning": "h"},
        {"reasoning": "m"},
        {"content": "so "},
        *a_call(0, "c0", "1+1"),
        *a_call(1, "c1", "2"),
    ]
    used = {"prompt_tokens": 2, "completion_tokens": len(deltas), "total_tokens": 2 + len(deltas)}
    return [
        chunk_data({"role": "assistant", "content": ""}, prompt_token_ids=[1, 2]),
        *(chunk_data(delta, tokens=[20 + at]) for at, delta in enumerate(deltas)),
        chunk_data({}, finish_reason="tool_calls"),
        chunk_data() | {"choices": [], "usage": used},
        chunk_data() | {"choices": [], "weight_versions": [{"version": "3", "start": 0, "end": len(deltas)}]},
        DONE,
    ]


def as_asked(body: dict[str, Any]) -> list[Any]:
    """What a node sends to chat completions or to completions."""
    make = completion_data if "prompt" in body else answer_data
    return [*several([make([1, 2, 3], [10, 11], text=text) for text in "ab"[: body.get("n", 1)]]), DONE]


def claude(client: Client, **options: Any) -> AsyncAnthropic:
    base_url = f"{client.url}/t/g"
    return AsyncAnthropic(base_url=base_url, **({"api_key": "not-needed", "max_retries": 0} | options))


async def events(client: Client, path: str, **more: Any) -> list[Any]:
    """The data of each event of a stream."""
    sent = BODIES[path] | {"stream": True} | more
    async with client.http.post(f"{client.url}/t/g/v1/{path}", json=sent) as answer:
        assert answer.status == 200
        return list(SseDecoder().feed(await answer.read()))


@pytest.mark.parametrize("stream", [False, True])
async def test_responses_with_reasoning_and_parallel_calls(kafka: KafkaSettings, stream: bool) -> None:
    async with gateway(kafka, node := FakeNode(script=thinking_and_calling)) as client:
        responses = client.openai().responses
        asked: Any = {"model": "x", "input": "1+1 and 2?", "tools": TOOLS, "instructions": "Calculate."}
        if stream:
            async with responses.stream(**asked) as streamed:
                names = [event.type async for event in streamed]
                answer = await streamed.get_final_response()
            assert names[:2] == ["response.created", "response.in_progress"]
            assert names.count("response.function_call_arguments.delta") == 4
            assert "response.reasoning_text.delta" in names
        else:
            answer = await responses.create(**asked)
        (step,) = await client.steps()
    thought, said, first, second = answer.output
    assert (thought.type, thought.content[0].text) == ("reasoning", "hm")
    assert (said.type, answer.output_text) == ("message", "so ")
    assert [(call.call_id, call.name, call.arguments) for call in (first, second)] == [
        ("c0", "calc", '{"e": "1+1"}'),
        ("c1", "calc", '{"e": "2"}'),
    ]
    assert (answer.status, answer.usage.input_tokens, answer.usage.output_tokens) == ("completed", 2, 7)
    assert node.paths == ["/v1/chat/completions"]
    assert node.bodies[0]["messages"][0] == {"role": "system", "content": "Calculate."}
    assert (step.text, step.reasoning, step.trainable, step.untrainable_reason) == ("so ", "hm", True, None)
    assert [call["id"] for call in json.loads(step.tool_calls_json or "")] == ["c0", "c1"]


@pytest.mark.parametrize("stream", [False, True])
async def test_messages_with_thinking_and_parallel_calls(kafka: KafkaSettings, stream: bool) -> None:
    tools: Any = [{"name": "calc", "input_schema": {"type": "object"}}]
    asked: Any = {"model": "x", "max_tokens": 50, "messages": MESSAGES, "tools": tools, "system": "Calculate."}
    async with gateway(kafka, node := FakeNode(script=thinking_and_calling)) as client:
        if stream:
            async with claude(client).messages.stream(**asked) as streamed:
                kinds = [event.type async for event in streamed]
                answer = await streamed.get_final_message()
            assert {"thinking", "text", "input_json", "content_block_stop", "message_stop"} <= set(kinds)
        else:
            answer = await claude(client).messages.create(**asked)
        (step,) = await client.steps()
    thought, said, first, second = (block.to_dict() for block in answer.content)
    assert (thought["type"], thought["thinking"]) == ("thinking", "hm")
    assert (said["type"], said["text"]) == ("text", "so ")
    assert [(call["id"], call["name"], call["input"]) for call in (first, second)] == [
        ("c0", "calc", {"e": "1+1"}),
        ("c1", "calc", {"e": "2"}),
    ]
    assert (answer.stop_reason, answer.usage.input_tokens, answer.usage.output_tokens) == ("tool_use", 2, 7)
    assert node.paths == ["/v1/chat/completions"]
    assert (step.text, step.reasoning, step.trainable, step.untrainable_reason) == ("so ", "hm", True, None)


@pytest.mark.parametrize("prompt", ["hi", [1, 2, 3], ["hi"], [[1, 2, 3]]])
async def test_completions(kafka: KafkaSettings, prompt: Any) -> None:
    async with gateway(kafka, node := FakeNode(script=as_asked)) as client:
        create = client.openai().completions.create
        whole = await create(model="x", prompt=prompt, temperature=0.7, seed=5)
        texts = [
            chunk.choices[0].text for chunk in [c async for c in await create(model="x", prompt=prompt, stream=True)]
        ]
        plain = await create(model="x", prompt=prompt, logprobs=0, extra_body={"return_token_ids": True})
        steps = await client.steps(3)
    assert (whole.choices[0].text, "".join(texts), whole.usage.completion_tokens) == ("a", "a", 2)
    assert whole.choices[0].logprobs is None
    assert not hasattr(whole.choices[0], "token_ids")
    assert (plain.choices[0].token_ids, plain.choices[0].logprobs.token_logprobs) == ([10, 11], [-0.5, -0.5])
    assert node.paths == ["/v1/completions"] * 3
    assert node.bodies[0]["prompt"] == (prompt[0] if isinstance(prompt[0], list | str) and prompt != "hi" else prompt)
    assert [step.trainable for step in steps] == [True] * 3
    assert unpack_tokens(steps[0].prompt_tokens).tolist() == [1, 2, 3]
    assert json.loads(steps[0].sampling_json) == {"temperature": 0.7, "seed": 5}


@pytest.mark.parametrize("path", ["chat/completions", "completions"])
async def test_each_of_several_answers_is_a_step(kafka: KafkaSettings, path: str) -> None:
    asked = BODIES[path] | {"n": 2}
    async with gateway(kafka, FakeNode(script=as_asked)) as client:
        _, headers, whole = await client.post(f"/t/g/v1/{path}", asked)
        chunks = [json.loads(event) for event in (await events(client, path, n=2))[:-1]]
        steps = await client.steps(4)
    assert {step.step_id for step in steps[:2]} == set(headers["X-ClawStream-Step"].split(", "))
    assert sorted(step.text for step in steps) == ["a", "a", "b", "b"]
    assert len({step.request_key for step in steps}) == 4
    resolved = resolve(steps)  # as processors read them: none of them is a retry
    assert (len(resolved.sequences), resolved.refusals) == (4, [])
    assert [(step.trajectory_id, step.trainable, step.response_token_count) for step in steps] == [("t", True, 2)] * 4
    assert [choice["index"] for choice in whole["choices"]] == [0, 1]
    assert whole["usage"]["completion_tokens"] == 4
    assert {choice["index"] for chunk in chunks for choice in chunk["choices"]} == {0, 1}
    assert all("weight_versions" not in chunk for chunk in chunks)


async def test_the_end_comes_after_the_step_is_in_the_log(kafka: KafkaSettings) -> None:
    ends = (b"[DONE]", b'"message_delta"', b'"message_stop"', b'"response.completed"')
    ended = set()
    async with gateway(kafka, FakeNode(script=as_asked)) as client:
        for count, (path, body) in enumerate(BODIES.items(), 1):
            url = f"{client.url}/t/g/v1/{path}"
            async with client.http.post(url, json=body | {"stream": True}) as answer:
                async for line in answer.content:
                    if line.startswith(b"data:") and any(end in line for end in ends):
                        ended.add(path)
                        assert len(await client.steps(count)) == count
    assert ended == set(BODIES)


async def test_the_first_token_does_not_wait_for_the_rest(kafka: KafkaSettings) -> None:
    go_on = asyncio.Event()

    def script(body: dict[str, Any]) -> list[Any]:
        chunks = as_asked(body)
        return [*chunks[:2], go_on, *chunks[2:]]

    async with gateway(kafka, FakeNode(script=script)) as client:
        for path, body in BODIES.items():
            go_on.clear()
            url = f"{client.url}/t/g/v1/{path}"
            async with client.http.post(url, json=body | {"stream": True}) as answer:
                async for line in answer.content:
                    if b'"a"' in line:
                        go_on.set()
        steps = await client.steps(len(BODIES))
    assert [step.trainable for step in steps] == [True] * len(BODIES)


async def test_a_client_that_leaves_stops_the_node_and_the_step_does_not_train(kafka: KafkaSettings) -> None:
    node = FakeNode(script=lambda body: [*as_asked(body)[:2], 60.0, DONE])
    async with gateway(kafka, node) as client:
        for path, body in BODIES.items():
            url = f"{client.url}/t/g/v1/{path}"
            async with client.http.post(url, json=body | {"stream": True}) as answer:
                await answer.content.readline()
            await asyncio.wait_for(node.cancelled.wait(), 5)
            node.cancelled.clear()
        steps = await client.steps(len(BODIES))
    assert [(step.finish_reason, step.trainable) for step in steps] == [("disconnect", False)] * len(BODIES)


async def test_an_answer_that_breaks_off_is_an_error_in_the_stream(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode(script=lambda body: [*as_asked(body)[:2], ERROR, DONE])) as client:
        create = {
            "chat/completions": client.openai().chat.completions.create,
            "completions": client.openai().completions.create,
            "responses": client.openai().responses.create,
            "messages": claude(client).messages.create,
        }
        for path, body in BODIES.items():
            assert json.loads((await events(client, path))[-1])["error"]["message"] == "engine died"
            with pytest.raises((openai.APIError, anthropic.APIError), match="engine died"):
                async for _ in await create[path](model="x", stream=True, **body):
                    pass
        steps = await client.steps(2 * len(BODIES))
    assert {(step.finish_reason, step.trainable) for step in steps} == {("abort", False)}


async def test_an_ending_without_a_name_in_the_dialect_is_an_error(kafka: KafkaSettings) -> None:
    script = [*answer_data([1], [10], text="a", finish_reason="abort"), DONE]
    async with gateway(kafka, FakeNode(script=lambda _: script)) as client:
        for path in ("responses", "messages"):
            status, _, said = await client.post(f"/t/g/v1/{path}", BODIES[path])
            assert status == 502
            for error in (said, json.loads((await events(client, path))[-1])):
                assert "it ended with abort" in error["error"]["message"]
        steps = await client.steps(4)
    assert [step.trainable for step in steps] == [False] * 4


async def test_a_nodes_refusal_in_anthropics_words(kafka: KafkaSettings) -> None:
    kinds: dict[int, Any] = {
        400: anthropic.BadRequestError,
        404: anthropic.NotFoundError,
        429: anthropic.RateLimitError,
        503: anthropic.InternalServerError,
    }
    given: Any = {"model": "x", "messages": [{"role": "user", "content": "a"}]}
    async with gateway(kafka, node := FakeNode()) as client:
        for status, kind in kinds.items():
            node.refusal = web.json_response(ERROR, status=status, headers={"Retry-After": "7"})
            with pytest.raises(kind) as raised:
                await claude(client).messages.create(max_tokens=9, **given)
            assert (raised.value.status_code, raised.value.response.headers["retry-after"]) == (status, "7")
            assert (raised.value.body["type"], raised.value.body["error"]["message"]) == ("error", "engine died")
            with pytest.raises(kind):
                await claude(client).messages.count_tokens(**given)


async def test_a_nodes_refusal_keeps_its_status_and_body(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode(refusal=web.json_response(ERROR, status=418))) as client:
        for path in ("responses", "completions"):
            status, _, body = await client.post(f"/t/g/v1/{path}", BODIES[path])
            assert (status, body) == (418, ERROR)


async def test_errors_before_a_dialect_is_reached_have_its_shape(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode(), api_key="secret") as client:
        for path in ("/v1/messages", "/v1/messages/count_tokens"):
            status, _, body = await client.post(path, {})
            assert (status, body["error"]["type"]) == (401, "authentication_error")
        with pytest.raises(anthropic.AuthenticationError):
            await claude(client).models.list()
        known = claude(client, api_key="secret")
        assert [model.id async for model in known.models.list()] == ["policy"]
        assert (await known.messages.create(model="x", max_tokens=9, messages=[{"role": "user", "content": "a"}])).id
        with pytest.raises(anthropic.NotFoundError):
            await known.messages.batches.list()
        status, _, body = await client.post("/v1/messages", b"{", {"x-api-key": "secret"})
        assert (status, body["error"]["type"]) == (400, "invalid_request_error")


async def test_models_and_counts(kafka: KafkaSettings) -> None:
    async with gateway(kafka, node := FakeNode()) as client:
        model = await client.openai().models.retrieve("policy")
        same = await claude(client).models.retrieve("policy")
        assert (model.id, same.id, same.display_name, same.max_input_tokens) == ("policy", "policy", "policy", 4096)
        with pytest.raises(openai.NotFoundError):
            await client.openai().models.retrieve("other")
        counted = await claude(client).messages.count_tokens(
            model="x", messages=[{"role": "user", "content": "a"}], thinking={"type": "disabled"}
        )
        for base in ("/v1", "/t/g/v1", "/t/g"):
            assert (await client.get(f"{base}/models"))[1]["data"][0]["id"] == "policy"
    assert counted.input_tokens == 3
    assert node.bodies == [
        {
            "model": "policy",
            "messages": [{"role": "user", "content": "a"}],
            "chat_template_kwargs": {"reasoning_effort": "none", "enable_thinking": False},
        }
    ]


async def test_sessions_are_named_alike_in_every_dialect(kafka: KafkaSettings) -> None:
    async with gateway(kafka, node := FakeNode(script=as_asked)) as client:
        for number, path in enumerate(BODIES):
            status, headers, _ = await client.post(
                f"/v1/{path}", BODIES[path] | {"session_id": f"s{number}", "turn_type": "side"}
            )
            assert (status, headers["X-ClawStream-Trajectory"]) == (200, f"s{number}")
        steps = await client.steps(len(BODIES))
    assert {(step.trajectory_id, step.turn_type) for step in steps} == {(f"s{n}", "side") for n in range(len(BODIES))}
    assert all("session_id" not in body for body in node.bodies)
