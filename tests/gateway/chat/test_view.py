"""A streaming client sees what it asked for, and every value as the node sent it."""

import json
from typing import Any

import pytest

from clawstream.gateway.chat.request import Wants
from clawstream.gateway.chat.view import visible
from tests.gateway.samples import answer_data, chunk_data

NOTHING = Wants(usage=False, logprobs=False, token_ids=False)
ALL = Wants(usage=True, logprobs=True, token_ids=True)


def seen(chunk: dict[str, Any], wants: Wants = NOTHING) -> Any:
    shown = visible(json.dumps(chunk).encode(), wants)
    return None if shown is None else json.loads(shown)


def test_capture_fields_are_taken_out() -> None:
    shown = seen(chunk_data({"content": "a"}, tokens=[7], prompt_token_ids=[1], usage={"x": 1}))
    assert set(shown) == {"id", "object", "created", "model", "choices"}
    assert shown["choices"] == [{"index": 0, "delta": {"content": "a"}, "finish_reason": None, "logprobs": None}]


def test_what_was_asked_for_stays() -> None:
    chunk = chunk_data({"content": "a"}, tokens=[7], prompt_token_ids=[1], usage={"x": 1})
    assert seen(chunk, ALL) == chunk


@pytest.mark.parametrize("wants", [NOTHING, ALL])
def test_spans_are_never_shown(wants: Wants) -> None:
    assert seen(chunk_data() | {"choices": [], "weight_versions": []}, wants) is None


def test_usage_is_shown_when_asked_for() -> None:
    usage = chunk_data() | {"choices": [], "usage": {"prompt_tokens": 1}}
    assert seen(usage) is None
    assert seen(usage, ALL)["usage"] == {"prompt_tokens": 1}


def test_a_chunk_that_only_carries_tokens_is_left_out() -> None:
    assert seen(chunk_data({}, tokens=[7])) is None
    assert seen(chunk_data({}, tokens=[7], finish_reason="stop"))["choices"][0]["finish_reason"] == "stop"
    assert seen(chunk_data({}, tokens=[7]), ALL) is not None


def test_numbers_are_copied_exactly() -> None:
    data = b'{"choices": [{"index": 0, "delta": {"content": "a", "x": 1.10000000000000000001}, "finish_reason": null}]}'
    assert b"1.10000000000000000001" in (visible(data, NOTHING) or b"")


def test_a_whole_answer_keeps_its_text() -> None:
    chunks = [seen(chunk) for chunk in answer_data([1], [7, 8, 9], text="hello")]
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks if chunk)
    assert text == "hello"
