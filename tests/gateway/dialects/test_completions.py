"""A prompt is one text or one list of token ids."""

import json
from typing import Any

import pytest

from clawstream.gateway.chat.request import node_body
from clawstream.gateway.dialects.completions import read_completion
from clawstream.gateway.errors import ApiError


@pytest.mark.parametrize(
    ("prompt", "sent", "messages"),
    [
        ("hi", "hi", [{"role": "prompt", "content": "hi"}]),
        (["hi"], "hi", [{"role": "prompt", "content": "hi"}]),
        ([1, 2], [1, 2], []),
        ([[1, 2]], [1, 2], []),
        ([5], [5], []),
    ],
)
def test_one_prompt_reaches_the_node_as_it_is(prompt: Any, sent: Any, messages: Any) -> None:
    asked = read_completion({"prompt": prompt, "max_tokens": 7, "top_k": 3})
    body = json.loads(node_body(asked, "policy"))
    assert (body["prompt"], body["logprobs"], body["return_token_ids"], body["stream"]) == (sent, 0, True, True)
    assert "top_logprobs" not in body
    assert asked.messages == messages
    assert asked.sampling() == {"max_tokens": 7, "top_k": 3}


def test_log_probabilities_are_those_that_the_client_wants() -> None:
    asked = read_completion({"prompt": "hi", "logprobs": 4})
    assert (json.loads(node_body(asked, "policy"))["logprobs"], asked.wants.logprobs) == (4, True)
    assert not read_completion({"prompt": "hi"}).wants.logprobs


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": [True]}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [[1], [2]]}, "prompt"),
        ({"prompt": "a", "echo": True}, "echo"),
        ({"prompt": "a", "best_of": 2}, "best_of"),
        ({"prompt": "a", "logprobs": True}, "logprobs"),
        ({"prompt": "a", "use_beam_search": True}, "use_beam_search"),
    ],
)
def test_what_it_cannot_be_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as refused:
        read_completion(body)
    assert (refused.value.status, refused.value.param) == (400, param)
