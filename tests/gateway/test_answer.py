"""An answer is put together as the node meant it."""

from datetime import timedelta
from math import isnan
from typing import Any

from clawstream.gateway.answer import Answer, completion
from clawstream.gateway.chat_request import Wants
from tests.builders import NOON
from tests.gateway.samples import answer_data, as_chunk, chunk_data

NOTHING = Wants(usage=False, logprobs=False, token_ids=False)
ALL = Wants(usage=True, logprobs=True, token_ids=True)


def gathered(chunks: list[dict[str, Any]], keep_entries: bool = False) -> Answer:
    answer = Answer(keep_entries=keep_entries)
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
    message = completion(answer, NOTHING)["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"] == [
        {"id": "call-0", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}},
        {"id": "call-1", "type": "function", "function": {"name": "sub", "arguments": "{}"}},
    ]


def test_reasoning_keeps_the_name_that_the_node_gives_it() -> None:
    old = gathered([chunk_data({"reasoning_content": "hm"}), chunk_data({"content": "yes"})])
    new = gathered([chunk_data({"reasoning": "h"}), chunk_data({"reasoning": "m"})])
    assert completion(old, NOTHING)["choices"][0]["message"]["reasoning_content"] == "hm"
    assert completion(new, NOTHING)["choices"][0]["message"]["reasoning"] == "hm"
    assert gathered([chunk_data({"content": "yes"})]).reasoning_text is None


def test_the_client_sees_ids_and_logprobs_only_when_it_asked() -> None:
    chunks = answer_data([1, 2], [7], text="a")
    plain = completion(gathered(chunks), NOTHING)
    assert "prompt_token_ids" not in plain
    assert "token_ids" not in plain["choices"][0]
    assert plain["choices"][0]["logprobs"] is None
    full = completion(gathered(chunks, keep_entries=True), ALL)
    assert (full["prompt_token_ids"], full["choices"][0]["token_ids"]) == ([1, 2], [7])
    assert full["choices"][0]["logprobs"]["content"][0]["logprob"] == -0.5
    assert "weight_versions" not in full


def test_spans_are_found_on_the_chunk_and_on_the_choice() -> None:
    span = [{"version": "3", "start": 0, "end": 1}]
    on_choice = chunk_data()
    on_choice["choices"][0]["weight_versions"] = span
    for chunk in (chunk_data(weight_versions=span), on_choice):
        spans = gathered([chunk]).reported_spans
        assert spans is not None
        assert (spans[0].version, spans[0].end) == ("3", 1)
