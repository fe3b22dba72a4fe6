"""Group advantages, by hand."""

import statistics

import pytest

from clawstream.schemas import GroupStatistics
from clawstream.trainer.algorithms.groups import centred, leave_one_out, normalised

REWARDS = [1.0, 0.0, 0.25, -2.0]


def a_group(rewards: list[float]) -> GroupStatistics:
    std = statistics.stdev(rewards) if len(rewards) > 1 else 0.0
    return GroupStatistics(
        size=len(rewards),
        expected_size=len(rewards),
        reward_mean=statistics.mean(rewards),
        reward_std=std,
        closed_by="complete",
    )


@pytest.mark.parametrize("reward", REWARDS)
def test_each_equals_its_formula(reward: float) -> None:
    group, mean, std = a_group(REWARDS), statistics.mean(REWARDS), statistics.stdev(REWARDS)
    others = [other for other in REWARDS if other != reward]
    assert normalised(reward, group) == pytest.approx((reward - mean) / (std + 1e-6), rel=1e-12)
    assert centred(reward, group) == pytest.approx(reward - mean, rel=1e-12)
    assert leave_one_out(reward, group) == pytest.approx(reward - statistics.mean(others), rel=1e-12)


def test_equal_rewards_give_no_advantage() -> None:
    group = a_group([0.7, 0.7])
    assert [advantage(0.7, group) for advantage in (normalised, centred, leave_one_out)] == [0.0, 0.0, 0.0]


def test_a_group_of_one_is_trained_by_its_reward() -> None:
    group = a_group([-1.0])
    for advantage in (normalised, centred, leave_one_out):
        assert advantage(-1.0, group) == pytest.approx(-1.0, abs=1e-5)
