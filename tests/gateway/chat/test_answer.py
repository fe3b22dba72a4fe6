"""An answer is put together as the node meant it."""

from datetime import timedelta
from math import isnan
from typing import Any

from clawstream.gateway.chat.answer import Answer
from tests.builders import NOON
from tests.gateway.samples import answer_data, as_chunk, chunk_data, completion_data


def gathered(chunks: list[dict[str, Any]], keep_logprobs: bool = False) -> Answer:
    answer = Answer(keep_logprobs=keep_logprobs)
    for seconds, chunk in enumerate(chunks):
        answer.add(as_chunk(chunk), NOON + timedelta(seconds=seconds))
    return answer


def test_ids_and_logprobs_are_kept_in_order() -> None:
    answer = gathered(answer_data([1, 2], [7, 8, 9], text="abc"))
    assert (answer.prompt_ids, answer.token_ids, answer.logprobs) == ([1, 2], [7, 8, 9], [-0.5] * 3)
    assert (answer.text, answer.finish_reason) == ("abc", "stop")
    assert answer.usage == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}


def test_first_and_last_token_are_timed() -> None:
    answer = gathered(answer_data([1], [7, 8], text="ab"))
    assert answer.first_token_at == NOON + timedelta(seconds=1)
    assert answer.last_token_at == NOON + timedelta(seconds=2)


def test_a_logprob_that_is_left_out_is_not_made_up() -> None:
    chunk = chunk_data({"content": "a"}, tokens=[7])
    chunk["choices"][0]["logprobs"]["content"][0] = {"token": "a", "logprob": None}
    assert isnan(gathered([chunk]).logprobs[0])


def test_tool_calls_are_merged_by_index() -> None:
    def piece(index: int, **function: str) -> dict[str, Any]:
        return {"tool_calls": [{"index": index, "function": function}]}

    def start(index: int, name: str) -> dict[str, Any]:
        call = {"index": index, "id": f"call-{index}", "type": "function", "function": {"name": name}}
        return {"tool_calls": [call]}

    deltas = [
        start(0, "add"),
        piece(0, arguments='{"a":'),
        start(1, "sub"),
        piece(1, arguments="{}"),
        piece(0, arguments="1}"),
    ]
    answer = gathered([chunk_data(delta) for delta in deltas] + [chunk_data(finish_reason="tool_calls")])
    assert answer.tool_messages == [
        {"id": "call-0", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}},
        {"id": "call-1", "type": "function", "function": {"name": "sub", "arguments": "{}"}},
    ]


def test_reasoning_is_told_by_either_name() -> None:
    old = gathered([chunk_data({"reasoning_content": "hm"}), chunk_data({"content": "yes"})])
    new = gathered([chunk_data({"reasoning": "h"}), chunk_data({"reasoning": "m"})])
    assert (old.reasoning_text, old.reasoning_key) == ("hm", "reasoning_content")
    assert (new.reasoning_text, new.reasoning_key) == ("hm", "reasoning")
    assert gathered([chunk_data({"content": "yes"})]).reasoning_text is None


def test_a_completion_has_its_ids_and_logprobs_elsewhere() -> None:
    answer = gathered(completion_data([1, 2], [7, 8], text="ab"))
    assert (answer.prompt_ids, answer.token_ids, answer.logprobs) == ([1, 2], [7, 8], [-0.5] * 2)
    assert (answer.text, answer.finish_reason) == ("ab", "stop")


def test_spans_are_found_on_the_chunk_and_on_the_choice() -> None:
    span = [{"version": "3", "start": 0, "end": 1}]
    on_choice = chunk_data()
    on_choice["choices"][0]["weight_versions"] = span
    for chunk in (chunk_data(weight_versions=span), on_choice):
        spans = gathered([chunk]).reported_spans
        assert spans is not None
        assert (spans[0].version, spans[0].end) == ("3", 1)
