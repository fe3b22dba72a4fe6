"""Agent frameworks on the official clients run unchanged: a tool is called, its result goes back, the answer comes."""

import json
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAI
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from clawstream.streams.settings import KafkaSettings
from tests.gateway.fake_node import DONE, FakeNode
from tests.gateway.harness import Client, gateway
from tests.gateway.samples import answer_data, chunk_data, completion_data

pytestmark = pytest.mark.kafka


def calling_then_answering(body: dict[str, Any]) -> list[Any]:
    """A tool call; once its result is there, the answer."""
    if "prompt" in body:
        return [*completion_data([1, 2], [10, 11], text="it is 2"), DONE]
    if body["messages"][-1]["role"] == "tool":
        return [*answer_data([1, 2, 20, 21, 3], [10, 11], text="it is 2"), DONE]
    call = {"index": 0, "id": "c0", "type": "function", "function": {"name": "calc", "arguments": ""}}
    more = {"index": 0, "function": {"arguments": '{"expression": "1+1"}'}}
    return [
        chunk_data({"role": "assistant", "content": ""}, prompt_token_ids=[1, 2]),
        chunk_data({"reasoning": "hm"}),
        chunk_data({"tool_calls": [call]}, tokens=[20]),
        chunk_data({"tool_calls": [more]}, tokens=[21], finish_reason="tool_calls"),
        chunk_data() | {"choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}},
        chunk_data() | {"choices": [], "weight_versions": [{"version": "3", "start": 0, "end": 2}]},
        DONE,
    ]


def pydantic_model(client: Client, dialect: str) -> Any:
    if dialect == "messages":
        provider = AnthropicProvider(base_url=f"{client.url}/t/g", api_key="not-needed")
        return AnthropicModel("policy", provider=provider)
    model = OpenAIChatModel if dialect == "chat" else OpenAIResponsesModel
    return model("policy", provider=OpenAIProvider(base_url=f"{client.url}/t/g/v1", api_key="not-needed"))


@pytest.mark.parametrize("dialect", ["chat", "responses", "messages"])
async def test_pydantic_ai(kafka: KafkaSettings, dialect: str) -> None:
    asked: list[str] = []

    def calc(expression: str) -> str:
        """Calculate."""
        asked.append(expression)
        return "2"

    async with gateway(kafka, node := FakeNode(script=calling_then_answering)) as client:
        agent = Agent(pydantic_model(client, dialect), tools=[calc], instructions="Calculate.")
        whole = await agent.run("1+1?")
        async with agent.run_stream("1+1?") as streamed:
            text = await streamed.get_output()
        steps = await client.steps(4)
    assert (whole.output, text, asked) == ("it is 2", "it is 2", ["1+1", "1+1"])
    assert [step.trainable for step in steps] == [True] * 4
    assert [step.prompt_prefix is not None for step in steps] == [False, True, False, True]
    for body in (node.bodies[1], node.bodies[3]):
        told = [{key: message.get(key) for key in ("role", "tool_call_id")} for message in body["messages"]]
        assert [message["role"] for message in told] == ["system", "user", "assistant", "tool"]
        assert told[-1]["tool_call_id"] == "c0"
        assert body["messages"][-1]["content"] == "2"
        (call,) = body["messages"][2]["tool_calls"]
        assert json.loads(call["function"]["arguments"]) == {"expression": "1+1"}
        assert dialect == "chat" or body["messages"][2]["reasoning"] == "hm"


@pytest.mark.parametrize("use_responses_api", [False, True])
async def test_langchain(kafka: KafkaSettings, use_responses_api: bool) -> None:
    tool = {"name": "calc", "description": "Calculate.", "parameters": {"type": "object", "properties": {}}}
    async with gateway(kafka, FakeNode(script=calling_then_answering)) as client:
        given: Any = {"base_url": f"{client.url}/t/g/v1", "api_key": "not-needed", "model": "policy"}
        model = ChatOpenAI(use_responses_api=use_responses_api, **given).bind_tools([tool])
        messages: list[Any] = [HumanMessage("1+1?")]
        called = await model.ainvoke(messages)
        messages += [called, ToolMessage("2", tool_call_id=called.tool_calls[0]["id"])]
        pieces = [piece async for piece in model.astream(messages)]
        completed = await OpenAI(max_tokens=20, **given).ainvoke("1+1=")
        steps = await client.steps(3)
    assert called.tool_calls[0]["args"] == {"expression": "1+1"}
    assert "".join(str(piece.text) for piece in pieces) == completed == "it is 2"
    assert [step.trainable for step in steps] == [True] * 3
