"""A Responses body is a chat completion, or a 400 that names the field."""

from typing import Any

import pytest

from clawstream.gateway.dialects.items import carried
from clawstream.gateway.dialects.responses_request import chat_body, read_asked
from clawstream.gateway.errors import ApiError

SCHEMA = {"type": "object"}


def chat(given: Any = "hi", **fields: Any) -> dict[str, Any]:
    body = {"model": "m", "input": given} | fields
    return chat_body(body, read_asked(body))


def test_a_plain_request() -> None:
    body = chat(
        instructions="Be brief.", max_output_tokens=9, temperature=0.5, top_k=3, store=False, metadata={"a": "b"}
    )
    assert body == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
        "max_completion_tokens": 9,
        "temperature": 0.5,
        "top_k": 3,
        "metadata": {"a": "b"},
    }


def test_what_an_assistant_said_in_a_row_is_one_message() -> None:
    thought = {"type": "reasoning", "id": "r", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
    said = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "so", "annotations": []}],
    }
    calls = [{"type": "function_call", "call_id": name, "name": "calc", "arguments": "{}"} for name in "ab"]
    results: list[Any] = [
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "2"}]},
    ]
    given = [{"role": "developer", "content": "d"}, {"role": "user", "content": "u"}, thought, said, *calls, *results]
    function = {"name": "calc", "arguments": "{}"}
    assert chat(given)["messages"] == [
        {"role": "system", "content": "d"},
        {"role": "user", "content": "u"},
        {
            "role": "assistant",
            "content": "so",
            "reasoning": "hm",
            "tool_calls": [{"id": name, "type": "function", "function": function} for name in "ab"],
        },
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
    ]


def test_images_are_passed_on() -> None:
    parts = [{"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": "data:x", "detail": "low"}]
    (message,) = chat([{"role": "user", "content": parts}])["messages"]
    assert message["content"] == [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "data:x", "detail": "low"}},
    ]


def test_reasoning_that_was_carried_comes_back() -> None:
    item = {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": carried("hm …")}
    (message,) = chat([item])["messages"]
    assert message == {"role": "assistant", "content": "", "reasoning": "hm …"}
    summary = {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "x"}]}
    assert chat([summary])["messages"] == [{"role": "assistant", "content": ""}]


def test_tools_formats_and_reasoning() -> None:
    tool = {"type": "function", "name": "calc", "description": "d", "parameters": SCHEMA, "strict": True}
    wanted = {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}, "verbosity": "low"}
    body = chat(
        tools=[tool],
        tool_choice={"type": "function", "name": "calc"},
        parallel_tool_calls=False,
        text=wanted,
        reasoning={"effort": "low", "summary": "auto"},
        include=["message.output_text.logprobs"],
        top_logprobs=2,
    )
    assert body["tools"] == [{"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "calc"}}
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": SCHEMA, "strict": True},
    }
    assert (body["verbosity"], body["reasoning_effort"], body["parallel_tool_calls"]) == ("low", "low", False)
    assert (body["logprobs"], body["top_logprobs"]) == (True, 2)
    assert chat(text={"format": {"type": "json_object"}})["response_format"] == {"type": "json_object"}
    assert "response_format" not in chat(text={"format": {"type": "text"}})


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"store": True}, "store"),
        ({"background": True}, "background"),
        ({"conversation": "c"}, "conversation"),
        ({"truncation": "auto"}, "truncation"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tool_choice": {"type": "file_search"}}, "tool_choice.type"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
        ({"input": [{"type": "reasoning", "encrypted_content": "gAAA"}]}, "input"),
        ({"input": [{"type": "reasoning", "encrypted_content": "clawstream:%"}]}, "input"),
        ({"input": [{"type": "reasoning", "encrypted_content": "clawstream:ü"}]}, "input"),
        ({"input": [{"type": "reasoning", "encrypted_content": "clawstream:/w=="}]}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input[0].content[0].type"),
        ({"input": [{"role": "assistant", "content": [{"type": "input_image", "image_url": "x"}]}]}, "input"),
    ],
)
def test_what_cannot_be_expressed_is_named(fields: dict[str, Any], param: str) -> None:
    body = {"input": "hi"} | fields
    with pytest.raises(ApiError) as refused:
        chat_body(body, read_asked(body))
    assert (refused.value.status, refused.value.param) == (400, param)
