"""Only a complete answer that agrees with itself may train."""

import re
from typing import Any

import pytest

from clawstream.gateway.tokens.integrity import Ended, find_flaw, finish_reason
from clawstream.schemas import PolicySpan
from tests.gateway.samples import an_answer

SPAN = PolicySpan(version=3, start=0, end=2)


def flaw_of(
    temperature: float = 1.0, spans: Any = (SPAN,), ended: Ended | None = None, turn_type: str = "main", **fields: Any
) -> Any:
    return find_flaw(an_answer(**fields), spans, temperature, turn_type, ended)


@pytest.mark.parametrize("finish", ["stop", "tool_calls"])
def test_a_complete_consistent_answer_trains(finish: str) -> None:
    assert flaw_of(finish_reason=finish) is None


@pytest.mark.parametrize(
    ("kind", "reason", "given"),
    [
        ("length", "length: the answer was cut off at its token limit", {"finish_reason": "length"}),
        ("abort", "abort: the node did not complete the answer", {"finish_reason": None}),
        ("abort", "finish reason is content_filter", {"finish_reason": "content_filter"}),
        ("disconnect", "disconnect: the client went away", {"ended": "disconnect"}),
        ("abort", "abort: the node did not complete", {"ended": "abort"}),
        ("tokens", "no token ids for 2", {"token_ids": []}),
        ("logprobs", "2 token ids but 1 log-probabilities", {"logprobs": [-1.0]}),
        ("usage", "2 token ids but usage says 3", {"usage": {"prompt_tokens": 3, "completion_tokens": 3}}),
        ("usage", "usage says None", {"usage": None}),
        ("logprobs", "log-probability 1 of 2 is nan", {"logprobs": [-1.0, float("nan")]}),
        ("logprobs", "log-probability 0 of 2 is 0.5", {"logprobs": [0.5, -1.0]}),
        ("prompt", "no prompt token ids", {"prompt_ids": None}),
        ("prompt", "1 prompt token ids but usage says 3", {"prompt_ids": [1]}),
        ("version", "policy version unknown", {"spans": None}),
        ("version", r"cover \[0, 1\) of 2 tokens", {"spans": [PolicySpan(version=3, start=0, end=1)]}),
        ("version", "cover nothing of 2 tokens", {"spans": []}),
        ("temperature", "temperature is 0", {"temperature": 0.0}),
        ("side", "turn type is side", {"turn_type": "side"}),
    ],
)
def test_a_flaw_is_named_with_its_numbers(kind: str, reason: str, given: dict[str, Any]) -> None:
    if "prompt_ids" in given or "token_ids" in given:
        given = {"usage": {"prompt_tokens": 3, "completion_tokens": 2}} | given
    flaw = flaw_of(**given)
    assert flaw.kind == kind
    assert re.search(reason, flaw.reason)


def test_how_a_call_ended_overrules_what_the_node_said() -> None:
    assert finish_reason(an_answer(), "disconnect") == "disconnect"
    assert finish_reason(an_answer(), None) == "stop"
    assert finish_reason(an_answer(finish_reason=None), None) == "abort"
