"""The agent, against a local server that speaks OpenAI's protocol and answers from a script."""

import ast
import inspect
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from openai import APIStatusError, AsyncOpenAI

from clawstream.demo import agent
from clawstream.demo.agent import REMINDER, AgentResult, calculate, solve

QUESTION = "State the final answer to the following arithmetic problem: 43 + 14 ="
Solve = Callable[..., Awaitable[AgentResult]]


class Script:
    """Replies to give, and the requests that came."""

    def __init__(self) -> None:
        self.replies: list[dict[str, Any] | int] = []
        self.requests: list[dict[str, Any]] = []

    async def complete(self, request: web.Request) -> web.Response:
        self.requests.append(await request.json())
        reply = self.replies.pop(0)
        if isinstance(reply, int):
            return web.json_response({"error": {"message": "no"}}, status=reply)
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": None} | reply}
        return web.json_response(
            {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
        )


def says(text: str) -> dict[str, Any]:
    return {"content": text, "tool_calls": []}


def calls(arguments: str, name: str = "calc", call_id: str = "call-1") -> dict[str, Any]:
    return {"tool_calls": [{"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}]}


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
async def ask(script: Script) -> AsyncIterator[Solve]:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", script.complete)
    async with TestServer(app) as server:
        client = AsyncOpenAI(base_url=str(server.make_url("/v1")), api_key="none", max_retries=0)
        async with client:
            yield lambda **options: solve(client, QUESTION, model="m", **options)


async def test_a_tool_call_then_the_answer(script: Script, ask: Solve) -> None:
    script.replies = [calls('{"expression": "43 + 14"}'), says("57")]
    result = await ask()
    assert (result.answer, result.model_calls, result.tool_calls) == ("57", 2, 1)


async def test_the_tool_call_is_sent_back_as_it_came_with_its_result(script: Script, ask: Solve) -> None:
    script.replies = [calls('{"expression":  "43 + 14"}', call_id="abc"), says("57")]
    await ask()
    _, called, result = script.requests[1]["messages"]
    assert called["tool_calls"][0]["function"] == {"name": "calc", "arguments": '{"expression":  "43 + 14"}'}
    assert result == {"role": "tool", "tool_call_id": "abc", "content": "57"}


async def test_an_answer_without_the_tool_is_not_taken(script: Script, ask: Solve) -> None:
    script.replies = [says("57"), calls('{"expression": "43 + 14"}'), says("57")]
    result = await ask()
    assert script.requests[1]["messages"][-1] == {"role": "user", "content": REMINDER}
    assert (result.answer, result.model_calls) == ("57", 3)


async def test_turns_that_are_used_up_leave_no_answer(script: Script, ask: Solve) -> None:
    script.replies = [says("57")] * 3
    result = await ask(max_turns=3)
    assert (result.answer, result.model_calls, result.tool_calls) == (None, 3, 0)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (calls("{not json"), "error: "),
        (calls('{"other": "1"}'), "error: "),
        (calls("[1]"), "error: "),
        (calls('{"expression": "43 +"}'), "error: not an arithmetic expression"),
        (calls('{"expression": "1"}', name="search"), "error: no tool is named search"),
    ],
)
async def test_a_bad_tool_call_is_told_to_the_model(
    script: Script, ask: Solve, call: dict[str, Any], said: str
) -> None:
    script.replies = [call, calls('{"expression": "43 + 14"}'), says("57")]
    result = await ask()
    assert script.requests[1]["messages"][-1]["content"].startswith(said)
    assert (result.answer, result.tool_calls) == ("57", 1)


async def test_each_of_several_calls_gets_its_result(script: Script, ask: Solve) -> None:
    first, second = (calls(json.dumps({"expression": text}), call_id=text) for text in ("1 + 1", "2 * 3"))
    script.replies = [{"tool_calls": first["tool_calls"] + second["tool_calls"]}, says("8")]
    await ask()
    results = [message for message in script.requests[1]["messages"] if message["role"] == "tool"]
    assert [(result["tool_call_id"], result["content"]) for result in results] == [("1 + 1", "2"), ("2 * 3", "6")]


async def test_every_request_names_model_temperature_and_tools(script: Script, ask: Solve) -> None:
    script.replies = [calls('{"expression": "43 + 14"}'), says("57")]
    await ask(temperature=0.5)
    assert all(
        (sent["model"], sent["temperature"], sent["tools"][0]["function"]["name"]) == ("m", 0.5, "calc")
        for sent in script.requests
    )


async def test_a_failed_call_is_the_callers_to_handle(script: Script, ask: Solve) -> None:
    script.replies = [500]
    with pytest.raises(APIStatusError):
        await ask()


async def test_one_turn_is_refused(ask: Solve) -> None:
    with pytest.raises(ValueError, match="max_turns is 1"):
        await ask(max_turns=1)


@pytest.mark.parametrize(
    ("expression", "value"), [("43 + 14", 57), (" 12 - 85 - 49", -122), ("2 * (3 + 4)", 14), ("-5", -5), ("007 ", None)]
)
def test_the_calculator(expression: str, value: int | None) -> None:
    if value is None:
        with pytest.raises(ValueError, match="not an arithmetic expression"):
            calculate(expression)
    else:
        assert calculate(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "x",
        "9 ** 9",
        "1 / 2",
        "__import__('os')",
        "True + 1",
        "1.5 + 1",
        "(" * 60,
        "1 + " * 40 + "1",
        "1\x00",
        "+" * 64,
    ],
)
def test_the_calculator_refuses_everything_else(expression: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        calculate(expression)


def test_only_openai_and_the_standard_library_are_imported() -> None:
    tree = ast.parse(inspect.getsource(agent))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - sys.stdlib_module_names == {"openai"}


def test_messages_are_plain_json(script: Script) -> None:
    assert json.loads(json.dumps(agent.TOOLS)) == agent.TOOLS
