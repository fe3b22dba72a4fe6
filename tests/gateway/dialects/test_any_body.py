"""Whatever a client sends, each dialect makes a request of it or answers 400."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.gateway.chat.answers import Answers
from clawstream.gateway.chat.request import node_body
from clawstream.gateway.dialects.chat import ChatExchange
from clawstream.gateway.dialects.completions import CompletionsExchange
from clawstream.gateway.dialects.exchange import Exchange
from clawstream.gateway.dialects.messages import MessagesExchange
from clawstream.gateway.dialects.responses import ResponsesExchange
from clawstream.gateway.errors import ApiError, anthropic_error
from tests.builders import NOON
from tests.gateway.samples import answer_data, as_chunk, completion_data

DIALECTS = [ChatExchange, CompletionsExchange, MessagesExchange, ResponsesExchange]
WORDS = [
    "user",
    "assistant",
    "system",
    "hi",
    "text",
    "input_text",
    "message",
    "tool_use",
    "auto",
    "function",
    "enabled",
]
KEYS = ["role", "content", "type", "text", "name", "input", "format", "id", "call_id", "arguments", "source", "effort"]
FIELDS = [
    *("messages", "input", "prompt", "system", "instructions", "tools", "tool_choice", "max_tokens", "thinking"),
    *("text", "reasoning", "metadata", "include", "stream", "n", "temperature", "logprobs", "stop_sequences", "x"),
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=10,
)


def frames_of(exchange: Exchange) -> bytes:
    """What a client is told of an answer to its body."""
    answers, frames = Answers(exchange.asked.count), b""
    make = completion_data if isinstance(exchange, CompletionsExchange) else answer_data
    for data in make([1, 2], [7], text="a"):
        answers.add(as_chunk(data), NOON)
        frames += exchange.frames(json.dumps(data).encode(), as_chunk(data))
    return frames + exchange.end(answers)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(body=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6))
def test_any_body_is_a_request_or_a_400(dialect: Any, body: dict[str, Any]) -> None:
    started = {"max_tokens": 5, "messages": [{"role": "user", "content": "hi"}], "input": "hi", "prompt": "hi"}
    refused = None
    try:
        exchange = dialect(started | body | {"stream": True})
        sent = json.loads(node_body(exchange.asked, "policy"))
    except ApiError as error:
        refused = error
    if refused is None:
        assert sent["return_token_ids"] is True
        assert frames_of(exchange)
        return
    assert refused.status == 400
    assert json.loads(anthropic_error(refused))["error"]["type"] == "invalid_request_error"
