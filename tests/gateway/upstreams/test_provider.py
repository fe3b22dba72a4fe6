"""A provider beside the nodes: what goes there, what it is sent, what is recorded."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from clawstream.gateway.chat.request import read_chat
from clawstream.gateway.settings import GatewaySettings
from clawstream.gateway.upstreams.provider import Provider, provider_body, provider_of
from clawstream.streams.settings import KafkaSettings, SettingsError, load
from tests.gateway.fake_node import CUT, DONE, FakeNode, running
from tests.gateway.harness import MESSAGES, Client, gateway
from tests.gateway.samples import chunk_data

OPENAIS = {"model", "messages", "stream", "stream_options"}


def plain_chunks(text: str = "hello") -> list[Any]:
    """An answer as OpenAI streams it: no ids, no log-probabilities, no versions."""
    usage = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}
    return [
        chunk_data({"role": "assistant", "content": ""}),
        chunk_data({"content": text}),
        chunk_data({}, finish_reason="stop"),
        chunk_data() | {"choices": [], "usage": usage},
        DONE,
    ]


@asynccontextmanager
async def with_provider(
    kafka: KafkaSettings, provider: FakeNode, *nodes: FakeNode, **settings: Any
) -> AsyncIterator[Client]:
    async with running(provider):
        chosen = {"upstream_url": f"{provider.url}/v1/", "upstream_key": "sk-upstream", "upstream_models": "gpt-*, o3"}
        async with gateway(kafka, *nodes, **(chosen | settings)) as client:
            yield client


def a_provider(**fields: Any) -> Provider | None:
    return provider_of(load(GatewaySettings, fields, {}))


def test_names_alone_decide_what_goes_there() -> None:
    provider = a_provider(upstream_url="https://api.openai.com/v1", upstream_models="gpt-*, o3")
    assert provider is not None
    assert [provider.serves(name) for name in ("gpt-5", "o3", "o3-mini", "policy", None)] == [
        *(True, True),
        *(False, False, False),
    ]
    assert (provider.name, [status.model for status in provider.listed()]) == ("api.openai.com", ["o3"])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"upstream_url": "https://api.openai.com/v1"}, "upstream_models"),
        ({"upstream_key": "sk"}, "upstream_url"),
        ({"upstream_models": "a"}, "upstream_url"),
        ({"upstream_url": "https://h/v1", "upstream_models": "a", "upstream_key": "secret\r\nX: y"}, "upstream_key"),
        ({"upstream_url": "api.openai.com", "upstream_models": "a"}, "http"),
        ({"upstream_url": "http://host:port/v1", "upstream_models": "a"}, "http"),
        ({"upstream_url": "http://user:secret@host/v1", "upstream_models": "a"}, "http"),
    ],
)
def test_one_that_is_set_by_half_is_refused_at_the_start(fields: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        a_provider(**fields)
    assert "secret" not in str(refused.value)
    assert a_provider() is None


def test_its_key_is_not_shown() -> None:
    provider = a_provider(upstream_url="https://h/v1", upstream_models="*", upstream_key="sk-secret")
    assert provider is not None
    assert "sk-secret" not in repr(provider)
    assert provider.headers["Authorization"] == "Bearer sk-secret"


def test_it_is_sent_what_the_client_sent_and_no_capture_field() -> None:
    sent = json.loads(provider_body(read_chat({"model": "o3", "messages": MESSAGES, "session_id": "s"})))
    assert sent == {
        "model": "o3",
        "messages": MESSAGES,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    asked = read_chat({"model": "o3", "messages": MESSAGES, "logprobs": True, "top_logprobs": 2, "temperature": 0.5})
    assert json.loads(provider_body(asked)).keys() - OPENAIS == {"logprobs", "top_logprobs", "temperature"}


@pytest.mark.kafka
async def test_its_answers_are_given_and_recorded_and_do_not_train(kafka: KafkaSettings) -> None:
    provider, node = FakeNode(script=lambda _: plain_chunks()), FakeNode()
    async with with_provider(kafka, provider, node) as client:
        openai = client.openai()
        openai.api_key = "the client's own"
        whole = await openai.chat.completions.create(model="gpt-5", messages=MESSAGES)
        chunks = [
            chunk async for chunk in await openai.chat.completions.create(model="o3", messages=MESSAGES, stream=True)
        ]
        await openai.chat.completions.create(model="policy", messages=MESSAGES)
        first, second, own = await client.steps(3)
        status, models = await client.get("/v1/models")
    assert whole.choices[0].message.content == "hello"
    assert whole.usage.completion_tokens == 2
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "hello"
    assert (provider.paths, node.paths) == (["/v1/chat/completions"] * 2, ["/v1/chat/completions"])
    assert {headers["Authorization"] for headers in provider.headers} == {"Bearer sk-upstream"}
    assert "Authorization" not in node.headers[0]
    for step, model in ((first, "gpt-5"), (second, "o3")):
        assert (step.text, step.model, step.trainable, step.finish_reason) == ("hello", model, False, "stop")
        assert step.untrainable_reason == (
            f"provider: {step.node} is no rollout node: no token ids, log-probabilities or policy version"
        )
        assert (step.prompt_token_count, step.response_token_count, step.response_tokens) == (4, 2, b"")
    assert own.trainable
    assert (status, [model["id"] for model in models["data"]]) == (200, ["o3", "policy"])


@pytest.mark.kafka
async def test_a_provider_that_gives_tokens_and_versions_does_not_train_either(kafka: KafkaSettings) -> None:
    async with with_provider(kafka, FakeNode()) as client:
        messages = [*MESSAGES, {"role": "assistant", "content": "hello world"}, {"role": "user", "content": "more"}]
        await client.chat(model="gpt-5")
        await client.chat(model="gpt-5", messages=messages)
        steps = await client.steps(2)
    assert [step.trainable for step in steps] == [False, False]
    assert [step.prompt_prefix for step in steps] == [None, None]
    assert (steps[1].branch_reason or "").startswith("node: ")


@pytest.mark.kafka
async def test_nothing_goes_to_a_provider_because_nodes_are_down(kafka: KafkaSettings) -> None:
    provider = FakeNode(script=lambda _: plain_chunks())
    async with with_provider(kafka, provider, node_wait_seconds=0.2) as client:
        for model in ("policy", "default", None):
            assert (await client.chat(model=model))[0] == 503
        assert await client.get("/ready") == (200, {"ready": True, "nodes_live": 0, "recording": True})
        anthropic = {"model": "o3", "max_tokens": 9, "messages": MESSAGES}
        assert (await client.post("/v1/messages/count_tokens", anthropic))[0] == 400
        assert (await client.post("/v1/messages", anthropic))[0] == 200
    assert len(provider.bodies) == 1


@pytest.mark.kafka
@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
async def test_its_refusals_keep_status_and_body(kafka: KafkaSettings, status: int) -> None:
    error = {"error": {"message": "quota", "type": "t", "param": None, "code": "insufficient_quota"}}
    provider = FakeNode(refusal=web.json_response(error, status=status, headers={"Retry-After": "9"}))
    async with with_provider(kafka, provider) as client:
        found, headers, body = await client.chat(model="o3")
    assert (found, body, headers["Retry-After"]) == (status, error, "9")
    assert len(provider.bodies) == 1


@pytest.mark.kafka
async def test_one_that_hangs_up_or_is_not_there_is_a_502(kafka: KafkaSettings) -> None:
    async with with_provider(kafka, FakeNode(script=lambda _: [CUT])) as client:
        status, _, body = await client.chat(model="o3")
        assert (status, body["error"]["code"]) == (502, "upstream_failed")
    async with gateway(kafka, upstream_url="http://127.0.0.1:9/v1", upstream_models="*") as client:
        status, _, body = await client.chat(model="anything")
        assert (status, body["error"]["code"]) == (502, "upstream_failed")
    assert "sk-upstream" not in json.dumps(body)
