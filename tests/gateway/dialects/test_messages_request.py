"""A Messages body is a chat completion, or a 400 that names the field."""

from typing import Any

import pytest

from clawstream.gateway.dialects.messages_request import chat_body, tokenizer_body
from clawstream.gateway.errors import ApiError

ASKED: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
SCHEMA = {"type": "object"}


def chat(**fields: Any) -> dict[str, Any]:
    return chat_body(ASKED | fields)


def messages(*given: dict[str, Any], **fields: Any) -> Any:
    return chat(messages=list(given), **fields)["messages"]


def test_a_plain_request() -> None:
    body = chat(temperature=0.5, top_k=3, stop_sequences=["x"], stream=True, metadata={"user_id": "u"}, seed=7)
    assert body == {
        "model": "m",
        "max_tokens": 9,
        "messages": ASKED["messages"],
        "temperature": 0.5,
        "top_k": 3,
        "stop": ["x"],
        "stream": True,
        "user": "u",
        "seed": 7,
    }


def test_a_conversation_with_tools_and_images() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    linked = {"type": "image", "source": {"type": "url", "url": "http://x/y.png"}}
    cached = {"type": "text", "text": "see", "cache_control": {"type": "ephemeral"}}
    assert messages(
        {"role": "user", "content": [cached, image]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "so"},
                {"type": "tool_use", "id": "a", "name": "calc", "input": {"e": 1}},
                {"type": "tool_use", "id": "b", "name": "calc", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "1"},
                {"type": "tool_result", "tool_use_id": "b", "content": [{"type": "text", "text": "2"}, linked]},
                {"type": "text", "text": "go on"},
            ],
        },
        system=[{"type": "text", "text": "x-anthropic-billing-header: 1"}, {"type": "text", "text": "Be brief."}],
    ) == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ],
        },
        {
            "role": "assistant",
            "content": "so",
            "reasoning": "hm",
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "calc", "arguments": '{"e":1}'}},
                {"id": "b", "type": "function", "function": {"name": "calc", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {
            "role": "tool",
            "tool_call_id": "b",
            "content": [{"type": "text", "text": "2"}, {"type": "image_url", "image_url": {"url": "http://x/y.png"}}],
        },
        {"role": "user", "content": "go on"},
    ]


def test_tools_and_their_choice() -> None:
    tool = {"name": "calc", "description": "d", "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}}
    body = chat(tools=[tool], tool_choice={"type": "tool", "name": "calc", "disable_parallel_tool_use": True})
    function = {"name": "calc", "description": "d", "parameters": SCHEMA}
    assert body["tools"] == [{"type": "function", "function": function}]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "calc"}}
    assert body["parallel_tool_calls"] is False
    for given, passed in (("auto", "auto"), ("any", "required"), ("none", "none")):
        assert chat(tools=[tool], tool_choice={"type": given})["tool_choice"] == passed


def test_thinking_and_output() -> None:
    assert chat(thinking={"type": "enabled", "budget_tokens": 2000})["thinking_token_budget"] == 2000
    assert chat(thinking={"type": "disabled"})["reasoning_effort"] == "none"
    assert "reasoning_effort" not in chat(thinking={"type": "adaptive", "display": "summarized"})
    wanted = {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}
    body = chat(output_config=wanted)
    assert body["reasoning_effort"] == "low"
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA


def test_an_answer_that_was_begun_goes_on() -> None:
    body = chat(messages=[*ASKED["messages"], {"role": "assistant", "content": "The"}])
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


def test_the_tokenizer_sees_the_prompt_alone() -> None:
    body = chat_body({"messages": ASKED["messages"], "thinking": {"type": "disabled"}}, counting=True)
    assert tokenizer_body(body | {"seed": 1, "stream": True}) == {
        "messages": ASKED["messages"],
        "chat_template_kwargs": {"reasoning_effort": "none", "enable_thinking": False},
    }


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "document"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "thinking", "thinking": ""}]}]}, "messages"),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "redacted_thinking"}]}]},
            "messages[0].content[0].type",
        ),
        ({"messages": [{"role": "assistant", "content": [{"type": "tool_result", "tool_use_id": "a"}]}]}, "messages"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"container": "c"}, "container"),
        ({"mcp_servers": [{"url": "http://x"}]}, "mcp_servers"),
        ({"system": 5}, "system"),
    ],
)
def test_what_cannot_be_expressed_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as refused:
        chat(**fields)
    assert (refused.value.status, refused.value.param) == (400, param)
