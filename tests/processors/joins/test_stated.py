import pytest

from clawstream.processors.joins.stated import reward_in
from tests.builders import a_feedback


def test_a_reward_is_as_it_was_stated() -> None:
    found = reward_in(a_feedback("rewarded", reward=0.5, step_id="s1", source="ana"))
    assert found is not None
    assert (found.value, found.kind, found.step_id, found.source) == (0.5, "process", "s1", "ana")


def test_a_hint_is_no_score() -> None:
    found = reward_in(a_feedback("curated", step_id="s1", source="ana", detail_json='{"hint": " use the tool "}'))
    assert found is not None
    assert (found.value, found.hint, found.kind, found.unscored) == (None, "use the tool", "process", "a hint alone")


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "curated", "detail_json": '{"hint": "of no step"}'},
        {"kind": "curated", "step_id": "s1", "detail_json": '{"hint": ""}'},
        {"kind": "curated", "step_id": "s1", "detail_json": '{"hint": 1}'},
        {"kind": "curated", "step_id": "s1", "detail_json": "[1]"},
        {"kind": "curated", "step_id": "s1", "detail_json": "no json"},
        {"kind": "curated", "step_id": "s1", "detail_json": None},
        {"kind": "rewarded", "reward": float("nan")},
        {"kind": "observed", "reward": 1.0},
        {"kind": "completed"},
    ],
)
def test_what_is_neither_is_none(fields: dict[str, object]) -> None:
    assert reward_in(a_feedback(**fields)) is None  # type: ignore[arg-type]
