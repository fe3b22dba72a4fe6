"""OpenClaw as it is configured for OpenClaw-RL's proxy: its headers and bodies, its checks in their order."""

import json
from typing import Any

import pytest

from clawstream.streams.settings import KafkaSettings
from tests.gateway.fake_node import DONE, FakeNode
from tests.gateway.harness import MESSAGES, Client, gateway
from tests.gateway.samples import answer_data, chunk_data

pytestmark = pytest.mark.kafka

KEY = {"Authorization": "Bearer sk-openclaw"}
BODY: dict[str, Any] = {"model": "qwen3-4b", "messages": MESSAGES, "temperature": 0.6, "max_tokens": 64}
PATH = "/v1/chat/completions"
CALL = {"index": 0, "id": "call-1", "type": "function", "function": {"name": "calc", "arguments": "{}"}}


def thinking() -> FakeNode:
    """Reasons, speaks and calls a tool."""
    pieces: list[dict[str, Any]] = [{"reasoning": "hm"}, {"content": "so"}, {"tool_calls": [CALL]}]
    chunks = [chunk_data(piece, tokens=[10 + n]) for n, piece in enumerate(pieces)]
    chunks[-1]["choices"][0]["finish_reason"] = "tool_calls"
    first, *_, usage, spans = answer_data([1, 2, 3], [10, 11, 12])
    return FakeNode(script=lambda _: [first, *chunks, usage, spans, DONE])


async def streamed(client: Client, body: dict[str, Any], headers: dict[str, str]) -> list[Any]:
    """Every chunk of a stream."""
    async with client.http.post(client.url + PATH, json=body | {"stream": True}, headers=headers) as answer:
        lines = [line.strip()[6:] async for line in answer.content if line.startswith(b"data: ")]
    assert lines.pop() == b"[DONE]"
    return [json.loads(line) for line in lines]


async def test_health_is_its_very_bytes_and_open(kafka: KafkaSettings) -> None:
    async with gateway(kafka, api_key="sk-openclaw") as client, client.http.get(f"{client.url}/healthz") as answer:
        assert (answer.status, await answer.read()) == (200, b'{"ok":true}')
        assert answer.content_type == "application/json"


async def test_checks_come_in_its_order_and_in_its_words(kafka: KafkaSettings) -> None:
    wrong = {"Authorization": "Bearer other"}
    async with gateway(kafka, FakeNode(), api_key="sk-openclaw") as client:
        for headers, body, status, detail in [
            ({}, b"{", 401, "missing bearer token"),
            ({"Authorization": "Basic abc"}, b"{", 401, "missing bearer token"),
            ({"Authorization": "Bearer "}, b"{", 401, "missing bearer token"),
            (wrong, b"{", 401, "invalid api key"),
            (wrong, {"messages": []}, 401, "invalid api key"),
            (KEY, b"{", 400, None),
            (KEY, {}, 400, "messages must be a non-empty list"),
            (KEY, {"messages": []}, 400, "messages must be a non-empty list"),
            (KEY, {"messages": "hi"}, 400, "messages must be a non-empty list"),
        ]:
            found, _, answer = await client.post(PATH, body, headers)
            assert found == status
            assert answer["detail"] == answer["error"]["message"]
            assert detail in (None, answer["detail"])
        assert (await client.post(PATH, BODY, KEY))[0] == 200


@pytest.mark.parametrize("where", ["headers", "body"])
async def test_a_main_turn_trains_and_its_session_is_named_in_the_answer(kafka: KafkaSettings, where: str) -> None:
    headers = {"X-Session-Id": "s 1", "X-Turn-Type": "Main"} if where == "headers" else {}
    body = BODY if where == "headers" else BODY | {"session_id": "s 1", "turn_type": "main", "session_done": False}
    node = FakeNode()
    async with gateway(kafka, node) as client:
        _, _, whole = await client.post(PATH, body, headers)
        chunks = await streamed(client, body, headers)
        steps = await client.steps(2)
    assert (whole["session_id"], whole["object"]) == ("s 1", "chat.completion")
    assert {chunk["session_id"] for chunk in chunks} == {"s 1"}
    assert {(step.trajectory_id, step.turn_type, step.trainable) for step in steps} == {("s 1", "main", True)}
    ours = {"session_id", "turn_type", "session_done"}
    assert not any(ours & set(sent) for sent in node.bodies)


async def test_streams_are_real_and_keep_reasoning_tools_and_usage(kafka: KafkaSettings) -> None:
    body = BODY | {"stream_options": {"include_usage": True}}
    async with gateway(kafka, thinking()) as client:
        chunks = await streamed(client, body, {"X-Session-Id": "s"})
        _, _, whole = await client.post(PATH, BODY, {"X-Session-Id": "s"})
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert [delta["reasoning"] for delta in deltas if "reasoning" in delta] == ["hm"]
    assert [delta["tool_calls"][0]["index"] for delta in deltas if "tool_calls" in delta] == [0]
    assert chunks[-1]["usage"]["completion_tokens"] == 3
    message = whole["choices"][0]["message"]
    assert (message["reasoning"], message["tool_calls"][0]["function"]["name"]) == ("hm", "calc")


async def test_side_turns_are_answered_and_do_not_train(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode()) as client:
        for turn in ("side", "heartbeat"):
            await client.post(PATH, BODY, {"X-Session-Id": "s", "X-Turn-Type": turn})
        steps = await client.steps(2)
    assert {(step.turn_type, step.trainable) for step in steps} == {("side", False)}


@pytest.mark.parametrize(
    ("headers", "body"),
    [({"X-Session-Done": "yes"}, {}), ({}, {"session_done": True}), ({"X-Session-Done": "0"}, {"session_done": "on"})],
)
async def test_a_session_ends_when_header_or_body_says_so(kafka: KafkaSettings, headers: Any, body: Any) -> None:
    async with gateway(kafka, FakeNode()) as client:
        await client.post(PATH, BODY | body, {"X-Session-Id": "s"} | headers)
        (said,) = await client.feedback()
    assert (said.kind, said.trajectory_id) == ("completed", "s")


async def test_clients_without_a_session_share_none(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode()) as client:
        answers = [(await client.post(PATH, BODY))[2] for _ in range(3)]
        steps = await client.steps(3)
    assert len({step.trajectory_id for step in steps}) == len({step.group_id for step in steps}) == 3
    assert "unknown" not in {step.trajectory_id for step in steps}
    assert not any("session_id" in answer for answer in answers)


async def test_a_calls_own_answer_is_not_lost_by_other_fields(kafka: KafkaSettings) -> None:
    """What OpenClaw's client sends beside: store, max_completion_tokens, reasoning_effort, content parts."""
    parts = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    sent = {"messages": parts, "store": False, "max_completion_tokens": 8192, "reasoning_effort": "low", "tools": []}
    node = FakeNode()
    async with gateway(kafka, node) as client:
        status, _, _ = await client.post(PATH, {"model": "qwen3-4b"} | sent, {"X-Session-Id": "s"})
    assert status == 200
    assert {key: node.bodies[0][key] for key in sent} == sent
