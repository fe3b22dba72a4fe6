"""What a message says beyond its text: why it stopped, what it used, what cannot be told."""

import json
from typing import Any

import pytest

from clawstream.gateway.chat.answers import Answers
from clawstream.gateway.dialects.messages import MessagesExchange
from clawstream.gateway.errors import ApiError
from tests.builders import NOON
from tests.gateway.samples import answer_data, as_chunk, chunk_data

ASKED: dict[str, Any] = {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


def whole(chunks: list[dict[str, Any]]) -> Any:
    exchange, answers = MessagesExchange(ASKED), Answers()
    for data in chunks:
        answers.add(as_chunk(data), NOON)
        assert exchange.frames(json.dumps(data).encode(), as_chunk(data)) == b""
    return json.loads(exchange.whole(answers))


@pytest.mark.parametrize(
    ("finish", "stop_reason", "said"),
    [
        ("stop", None, ("end_turn", None)),
        ("stop", "END", ("stop_sequence", "END")),
        ("stop", 151643, ("end_turn", None)),
        ("length", None, ("max_tokens", None)),
        ("tool_calls", None, ("tool_use", None)),
        ("content_filter", None, ("refusal", None)),
    ],
)
def test_it_says_why_it_stopped(finish: str, stop_reason: Any, said: Any) -> None:
    chunks = answer_data([1, 2], [7], text="a", finish_reason=finish)
    chunks[1]["choices"][0]["stop_reason"] = stop_reason
    message = whole(chunks)
    assert (message["stop_reason"], message["stop_sequence"]) == said


def test_tokens_from_a_cache_count_apart() -> None:
    used = {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 8}}
    usage = whole(answer_data([1] * 10, [7, 8], usage=used))["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (2, 8, 2)


def calling(arguments: str) -> list[dict[str, Any]]:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return [chunk_data({"tool_calls": [call]}, tokens=[7]), chunk_data(finish_reason="length")]


@pytest.mark.parametrize(
    ("arguments", "read"), [("", {}), ('{"a": 1}', {"a": 1}), ('{"a": 1, "b": [2, ', {"a": 1, "b": [2]})]
)
def test_arguments_are_read_as_far_as_they_go(arguments: str, read: Any) -> None:
    assert whole(calling(arguments))["content"][0]["input"] == read


@pytest.mark.parametrize("arguments", ["[1]", "nonsense", "3"])
def test_arguments_that_are_no_object_are_an_error(arguments: str) -> None:
    with pytest.raises(ApiError, match="are no JSON object") as failed:
        whole(calling(arguments))
    assert failed.value.status == 502
