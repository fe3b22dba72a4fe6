"""Claw-R1's /generate: the node's own tokens, in the shapes of its code and of its documents."""

import json
from typing import Any

import pytest

from clawstream.gateway.chat.answers import Answers
from clawstream.gateway.chat.request import node_body
from clawstream.gateway.dialects.generate import GenerateExchange
from clawstream.gateway.errors import ApiError
from tests.builders import NOON
from tests.gateway.samples import answer_data, as_chunk, completion_data

PARAMS = {"temperature": 0.7, "top_p": 0.9, "repetition_penalty": 1.1, "logprobs": True}


def told(body: dict[str, Any], chunks: list[dict[str, Any]]) -> Any:
    exchange, answers = GenerateExchange(body), Answers()
    for data in chunks:
        answers.add(as_chunk(data), NOON)
        assert exchange.frames(json.dumps(data).encode(), as_chunk(data)) == b""
    assert exchange.end(answers) == exchange.whole(answers)
    return json.loads(exchange.whole(answers))


def test_token_ids_reach_the_node_as_they_are_with_their_parameters() -> None:
    asked = GenerateExchange({"prompt_ids": [1, 2, 3], "sampling_params": PARAMS}).asked
    body = json.loads(node_body(asked, "policy", None, 100))
    assert (asked.path, body["prompt"], body["max_tokens"], body["logprobs"]) == ("/v1/completions", [1, 2, 3], 97, 0)
    assert (body["temperature"], body["top_p"], body["repetition_penalty"]) == (0.7, 0.9, 1.1)
    limited = GenerateExchange({"prompt_ids": [1], "sampling_params": {"max_tokens": 5}}).asked
    assert json.loads(node_body(limited, "policy", None, 100))["max_tokens"] == 5
    assert json.loads(node_body(asked, "policy", None, 2))["max_tokens"] == 1


def test_the_answer_has_the_shape_of_its_code() -> None:
    said = told({"prompt_ids": [1, 2]}, completion_data([1, 2], [7, 9]))
    assert said == {"token_ids": [7, 9], "log_probs": [-0.5, -0.5], "stop_reason": "stop"}


def test_messages_get_the_shape_of_its_documents() -> None:
    body = {"trajectory_uid": "t", "prompt_uid": "g", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9}
    said = told(body, answer_data([1, 2], [7, 9], text="hello"))
    assert {key: said[key] for key in ("response_text", "response_ids", "prompt_ids")} == {
        "response_text": "hello",
        "response_ids": [7, 9],
        "prompt_ids": [1, 2],
    }
    asked = GenerateExchange(body).asked
    assert (asked.path, asked.body["max_tokens"], asked.claims.trajectory_id) == ("/v1/chat/completions", 9, "t")


def test_an_answer_without_ids_is_an_error() -> None:
    with pytest.raises(ApiError, match="without token ids"):
        GenerateExchange({"prompt_ids": [1]}).whole(Answers())


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt_ids"),
        ({"prompt_ids": []}, "prompt_ids"),
        ({"prompt_ids": ["a"]}, "prompt_ids[0]"),
        ({"prompt_ids": [-1]}, "prompt_ids[0]"),
        ({"prompt_ids": [1], "messages": []}, "messages"),
        ({"messages": []}, "messages"),
        ({"prompt_ids": [1], "sampling_params": []}, "sampling_params"),
        ({"prompt_ids": [1], "sampling_params": {"n": 2}}, "n"),
        ({"prompt_ids": [1], "sampling_params": {"stream": True}}, "stream"),
        ({"prompt_ids": [1], "image_data": ["aaaa"]}, "image_data"),
        ({"prompt_ids": [1], "video_data": "aaaa"}, "video_data"),
    ],
)
def test_what_it_cannot_do_is_refused(body: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as refused:
        GenerateExchange(body)
    assert (refused.value.status, refused.value.param) == (400, param)
