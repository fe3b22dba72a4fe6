import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.schemas import Step
from clawstream.streams.reading.query import QueryError, condition
from tests.builders import a_sample, a_step

FIELDS = set(Step.__struct_fields__) | {"reward", "group", "rewards"}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("channel=train", True),
        ("channel = val", False),
        ("channel!=val", True),
        ("channel in val, train", True),
        ("prompt_token_count>=2", True),
        ("prompt_token_count<2", False),
        ("prompt_token_count=2.0", True),
        ("temperature=1", True),
        ("received_at<2026-01-02", True),
        ("trainable=true", True),
        ("reasoning=null", True),
        ("reasoning>a", False),
        ("reasoning!=x", True),
        ("sampling_json.top_p<=0.5", True),
        ("sampling_json.seed=1", False),
        ("prompt_prefix.step_id=s0", False),
        ("response_tokens=x", False),
        ("text.nothing=1", False),
    ],
)
def test_conditions_on_a_step(text: str, holds: bool) -> None:
    step = a_step(sampling_json='{"top_p": 0.5}', prompt_token_count=2)
    assert condition(text, FIELDS).holds(step) is holds


def test_into_nested_records_and_lists() -> None:
    assert condition("group.size=2", FIELDS).holds(a_sample())
    assert condition("step_id=b", FIELDS).holds({"step_id": ["a", "b"]})
    assert not condition("step_id=c", FIELDS).holds({"step_id": ["a", "b"]})


@pytest.mark.parametrize("text", ["", "channel", "nothing=1", "__class__=x", "channel~x", "=x"])
def test_what_is_no_condition_is_said(text: str) -> None:
    with pytest.raises(QueryError, match="is no condition such as channel=train on one of agent"):
        condition(text, FIELDS)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_ordered_by_size(found: float, value: float) -> None:
    record = {"reward": found}
    assert condition(f"reward<{value!r}", FIELDS).holds(record) == (found < value)
    assert condition(f"reward>={value!r}", FIELDS).holds(record) == (found >= value)
    assert condition(f"reward={value!r}", FIELDS).holds(record) == (found == value)


@given(st.text())
def test_no_text_is_worse_than_refused(text: str) -> None:
    with contextlib.suppress(QueryError):
        condition(text, FIELDS).holds(a_step())
