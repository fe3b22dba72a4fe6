"""Several answers of one call are kept apart."""

import pytest

from clawstream.gateway.chat.answers import Answers
from clawstream.gateway.errors import NodeError
from tests.builders import NOON
from tests.gateway.samples import answer_data, as_chunk, completion_data, several

BOTH = {
    "chat": several([answer_data([1, 2], [7, 8, 9], text="abc"), answer_data([1, 2], [5], text="x")]),
    "completion": several([completion_data([1, 2], [7, 8, 9], text="abc"), completion_data([1, 2], [5], text="x")]),
}


@pytest.mark.parametrize("kind", BOTH)
def test_each_has_its_own_tokens(kind: str) -> None:
    answers = Answers(2)
    for data in BOTH[kind]:
        answers.add(as_chunk(data), NOON)
    answers.settle()
    first, second = answers.each
    assert (first.text, first.token_ids, second.text, second.token_ids) == ("abc", [7, 8, 9], "x", [5])
    assert (first.prompt_ids, second.prompt_ids) == ([1, 2], [1, 2])
    assert [[span.end for span in answer.reported_spans or ()] for answer in answers.each] == [[3], [1]]
    assert [(answer.usage or {})["completion_tokens"] for answer in answers.each] == [3, 1]
    assert (answers.usage or {})["completion_tokens"] == 4


def test_they_have_begun_once_each_has_a_token() -> None:
    answers, begun = Answers(2), []
    for data in BOTH["chat"][:4]:
        answers.add(as_chunk(data), NOON)
        begun.append(answers.have_begun)
    assert begun == [False, False, False, True]


def test_a_count_that_is_wrong_is_wrong_in_each() -> None:
    answers = Answers(2)
    for data in BOTH["chat"]:
        wrong = data | {"usage": {"prompt_tokens": 2, "completion_tokens": 5}} if "usage" in data else data
        answers.add(as_chunk(wrong), NOON)
    answers.settle()
    assert [(answer.usage or {})["completion_tokens"] for answer in answers.each] == [4, 2]


def test_a_call_that_broke_off_has_no_usage() -> None:
    answers = Answers(2)
    answers.add(as_chunk(BOTH["chat"][0]), NOON)
    answers.settle()
    assert [answer.usage for answer in answers.each] == [None, None]


def test_an_answer_that_nobody_asked_for_is_an_error_of_the_node() -> None:
    other = next(data for data in BOTH["chat"] if data["choices"][0]["index"] == 1)
    with pytest.raises(NodeError, match="answer 1 of 1"):
        Answers(1).add(as_chunk(other), NOON)
