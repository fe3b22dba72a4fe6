"""What is ready when, and what is ready and yet not worth training."""

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from clawstream.processors.readiness.filters import all_equal, refused
from clawstream.processors.rewards import Episode, reward
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.testing import conversation, feedback, run
from clawstream.schemas import Step
from tests.builders import a_sequence
from tests.processors.simulated import Worker, rejections


def group(*rewards: float | None, **fields: Any) -> Iterator[Any]:
    """Trajectories of one turn, a letter each."""
    for name, value in zip("abcdefgh", rewards, strict=False):
        yield from conversation(("hi", "ho"), trajectory=name, group="g", reward=value, **fields)


def reasons(outcome: Any) -> dict[str, str]:
    return {rejection.trajectory_id: rejection.reason for rejection in outcome.rejected}


def test_a_group_is_ready_together_and_a_trajectory_alone() -> None:
    assert [s.group.size for s in run([], group(0.0, 1.0), group_size=2).samples] == [2, 2]
    assert [s.group.size for s in run([], group(0.0, 1.0), group_size=2, ready="trajectory").samples] == [1, 1]


def test_channels_never_mix() -> None:
    events = [*group(0.0), *conversation(("hi", "ho"), trajectory="v", group="g", reward=1.0, channel="val")]
    outcome = run([], events, group_size=2)
    assert (outcome.samples, reasons(outcome)) == ([], {"a": "group_too_small", "v": "group_too_small"})


def test_a_required_reward_is_waited_for_and_its_lack_says_whose_and_why() -> None:
    @reward
    def judge(episode: Episode) -> float | None:
        return 0.5 if episode.trajectory_id == "a" else None

    outcome = run(judge, group(1.0, 1.0), required_rewards="judge, agent")
    assert [(sample.trajectory_id, sample.reward) for sample in outcome.samples] == [("a", 1.5)]
    (rejection,) = outcome.rejected
    assert rejection.detail == "its trajectory closed (completed) without a reward of judge: it had nothing to say"


def test_only_what_was_reviewed_trains_where_that_is_required() -> None:
    seen = feedback("curated", trajectory_id="a", group_id="g", detail={"quality": "incorrect"})
    outcome = run([], [*group(1.0, 1.0), seen], require_review=True)
    assert [sample.trajectory_id for sample in outcome.samples] == ["a"]
    assert reasons(outcome) == {"b": "not_reviewed"}


def test_a_late_reward_is_joined_or_not_as_configured() -> None:
    late = feedback("rewarded", trajectory_id="a", group_id="g", source="late", reward=5.0)
    for policy, expected in (("amend", 6.0), ("reject", 1.0)):
        events = list(group(1.0, 1.0))
        last = max(event.at for event in events if not isinstance(event, Step))
        events.append(replace(late, at=last.replace(second=30)))
        outcome = run([], events, group_size=3, late=policy)
        assert {s.trajectory_id: s.reward for s in outcome.samples} == {"a": expected, "b": 1.0}
        assert "late" in [given.source for given in outcome.rewards]


def test_a_gap_is_held_and_then_flagged() -> None:
    worker, (first, second) = Worker(), [e for e in conversation(("a", "b"), ("c", "d")) if isinstance(e, Step)]
    done = feedback("completed", reward=1.0, feedback_id="done")
    worker.taken(second, done)
    worker.tick(1)
    assert worker.sent[-1].topic.name == "rewards"  # still open: it waits for the step that it continues
    worker.taken(first, now_ms=5_000)
    worker.tick(5_001)
    assert worker.sent[-1].topic.name == "trajectories"
    assert worker.sent[-1].record.step_ids == ["t1-0", "t1-1"]  # type: ignore[attr-defined]
    alone = Worker()
    alone.taken(second, done)
    alone.tick(10_001)
    assert rejections(alone) == {"t1-1": "broken_prefix"}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, None),
        ({"min_response_tokens": 2}, None),
        ({"min_response_tokens": 3}, "filtered"),
        ({"max_response_tokens": 1}, "filtered"),
        ({"drop_neutral": True}, None),
        ({"max_policy_lag": 2}, None),
        ({"max_policy_lag": 1}, "stale"),
    ],
)
def test_filters(settings: dict[str, Any], reason: str | None) -> None:
    sequence = a_sequence([1], [2, 3], version=5, model="policy")
    found = refused([sequence], 1.0, {"policy": 7, "policy-acme": 90}, ProcessorsSettings(**settings))
    assert (found and found[0]) == reason


def test_without_a_known_version_nothing_is_stale() -> None:
    settings = ProcessorsSettings(max_policy_lag=0)
    assert refused([a_sequence([1], [2], model="policy")], 1.0, {}, settings) is None
    assert refused([a_sequence([1], [2], model="another")], 1.0, {"policy": 9}, settings) is None
    assert refused([a_sequence([1], [2])], 1.0, {"policy": 9}, settings) is None  # a record of before models were named


def test_groups_of_equal_rewards_may_be_left_out() -> None:
    settings = ProcessorsSettings(drop_equal_groups=True)
    assert all_equal([1.0, 1.0], settings) == ("filtered", "all 2 members of its group have the reward 1")
    assert all_equal([1.0, 0.0], settings) is None
    assert all_equal([1.0], settings) is None
    assert all_equal([1.0, 1.0], ProcessorsSettings()) is None
    outcome = run([], group(1.0, 1.0), group_size=2, drop_equal_groups=True)
    assert reasons(outcome) == {"a": "filtered", "b": "filtered"}


def test_what_is_left_out_is_as_if_it_had_never_been_in_its_group() -> None:
    events = [*group(0.0, 1.0), *conversation(("hi", "a long answer"), trajectory="c", group="g", reward=9.0)]
    outcome = run([], events, group_size=3, max_response_tokens=5)
    assert [sample.group.reward_mean for sample in outcome.samples] == [0.5, 0.5]
    assert reasons(outcome) == {"c": "filtered"}
