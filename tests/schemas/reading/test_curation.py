from datetime import timedelta
from itertools import permutations

import msgspec
import pytest

from clawstream.schemas.reading.curation import Curation, excluded, is_reviewed, read_curation
from tests.builders import NOON, a_feedback

STEPS = ["a", "b"]


def said(detail: str, minutes: int = 0, step_id: str | None = None) -> Curation:
    at = NOON + timedelta(minutes=minutes)
    return read_curation(a_feedback("curated", source="console", detail_json=detail, step_id=step_id, at=at))


OUT, IN = '{"trainable": false}', '{"trainable": true}'


def test_a_trajectory_is_taken_out_whole() -> None:
    assert excluded([said(OUT)], STEPS) == {"a": "console", "b": "console"}


def test_a_word_on_a_step_counts_over_one_on_the_trajectory_in_any_order() -> None:
    for words in permutations([said(OUT, 2), said(IN, 1, "a")]):
        assert excluded(words, STEPS) == {"b": "console"}


def test_the_newest_word_on_a_step_counts() -> None:
    for words in permutations([said(OUT, 1, "a"), said(IN, 2, "a"), said('{"note": "hm"}', 3, "a")]):
        assert excluded(words, STEPS) == {}


def test_a_step_may_be_named_by_its_index() -> None:
    assert excluded([said('{"trainable": false, "step_index": 1}')], STEPS) == {"b": "console"}
    assert excluded([said('{"trainable": false, "step_index": 7}')], STEPS) == {}


@pytest.mark.parametrize("detail", ["{", "[]", '{"trainable": "no"}', '{"step_index": -1}'])
def test_what_cannot_be_read_says_nothing(detail: str) -> None:
    assert excluded([said(detail)], STEPS) == {}


@pytest.mark.parametrize(
    ("detail", "expected"),
    [('{"quality": "incorrect"}', True), (IN, True), ('{"quality": "unreviewed"}', False), ('{"tags": []}', False)],
)
def test_a_quality_is_a_review_and_no_exclusion(detail: str, expected: bool) -> None:
    assert is_reviewed([said(detail)]) is expected
    assert excluded([said('{"quality": "incorrect"}')], STEPS) == {}


def test_an_index_that_no_step_can_have_is_none() -> None:
    word = said('{"trainable": false, "step_index": 100000000000000000000}')
    assert (word.step_index, msgspec.msgpack.decode(msgspec.msgpack.encode(word), type=Curation)) == (None, word)
