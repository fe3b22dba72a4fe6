"""A whole chat completion has what the client asked for, and nothing else."""

from typing import Any

from clawstream.gateway.chat.answers import Answers
from clawstream.gateway.chat.request import Wants
from clawstream.gateway.dialects.chat import completion
from tests.builders import NOON
from tests.gateway.samples import answer_data, as_chunk, chunk_data

NOTHING = Wants(usage=False, logprobs=False, token_ids=False)
ALL = Wants(usage=True, logprobs=True, token_ids=True)


def gathered(chunks: list[dict[str, Any]], keep_logprobs: bool = False) -> Answers:
    answers = Answers(keep_logprobs=keep_logprobs)
    for chunk in chunks:
        answers.add(as_chunk(chunk), NOON)
    return answers


def test_the_client_sees_ids_and_logprobs_only_when_it_asked() -> None:
    chunks = answer_data([1, 2], [7], text="a")
    plain = completion(gathered(chunks), NOTHING)
    assert "prompt_token_ids" not in plain
    assert "token_ids" not in plain["choices"][0]
    assert plain["choices"][0]["logprobs"] is None
    full = completion(gathered(chunks, keep_logprobs=True), ALL)
    assert (full["prompt_token_ids"], full["choices"][0]["token_ids"]) == ([1, 2], [7])
    assert full["choices"][0]["logprobs"]["content"][0]["logprob"] == -0.5
    assert "weight_versions" not in full


def test_reasoning_keeps_the_name_that_the_node_gives_it() -> None:
    old = gathered([chunk_data({"reasoning_content": "hm"}), chunk_data({"content": "yes"})])
    new = gathered([chunk_data({"reasoning": "h"}), chunk_data({"reasoning": "m"})])
    assert completion(old, NOTHING)["choices"][0]["message"]["reasoning_content"] == "hm"
    assert completion(new, NOTHING)["choices"][0]["message"]["reasoning"] == "hm"


def test_a_message_of_calls_alone_has_no_content() -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    message = completion(gathered([chunk_data({"tool_calls": [call]})]), NOTHING)["choices"][0]["message"]
    assert (message["content"], message["tool_calls"][0]["id"]) == (None, "c")
