import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.processors.joins.combining import Rule, combined, values
from tests.builders import NOON, a_reward

LATER = NOON.replace(hour=13)
REWARDS = [
    a_reward(5.0, source="judge", at=LATER),
    a_reward(1.0, source="agent"),
    a_reward(2.0, source="judge"),
    a_reward(None, source="agent", at=LATER),
    a_reward(100.0, source="judge", kind="process", step_id="s1", at=LATER),
]


@given(st.permutations(REWARDS))
def test_the_newest_value_of_each_source_counts_in_any_order(rewards: list) -> None:  # type: ignore[type-arg]
    assert values(rewards) == {"judge": 5.0, "agent": 1.0}
    assert values(rewards, "process", "s1") == {"judge": 100.0}
    assert values(rewards, "process", "s2") == {}


@pytest.mark.parametrize(
    ("rule", "weights", "expected"),
    [("sum", {}, 6.0), ("mean", {}, 3.0), ("min", {}, 1.0), ("max", {}, 5.0), ("sum", {"judge": 0.1}, 1.5)],
)
def test_the_rule_puts_sources_together(rule: Rule, weights: dict[str, float], expected: float) -> None:
    assert combined(values(REWARDS), rule, weights) == expected


def test_a_reward_that_is_missing_or_no_number_is_none() -> None:
    assert combined(values([a_reward(None), a_reward(math.nan), a_reward(math.inf)]), "sum", {}) is None
    assert combined(values([a_reward(0.0)]), "sum", {}) == 0.0
