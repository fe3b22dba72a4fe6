import math

from clawstream.processors.grouping import GroupState, close, closing_reason, combined, on_trajectory
from clawstream.processors.output import Output
from clawstream.processors.settings import ProcessorsSettings
from clawstream.schemas import Rejection, Sample, Trajectory, encode
from tests.builders import NOON, a_reward, a_trajectory

SETTINGS = ProcessorsSettings(group_size=2, group_deadline_seconds=10)


def member(name: str, reward: float | None = 1.0, **fields: object) -> Trajectory:
    rewards = [] if reward is None else [a_reward(reward)]
    return a_trajectory(trajectory_id=name, step_ids=[f"step of {name}"], rewards=rewards, **fields)


def failed(name: str) -> Trajectory:
    """A member whose steps were rejected before."""
    return a_trajectory(trajectory_id=name, step_ids=[], sequences=[], rewards=[])


def taken(*members: Trajectory, settings: ProcessorsSettings = SETTINGS) -> GroupState:
    state: GroupState | None = None
    for entry in members:
        state, _ = on_trajectory(state, entry, 0, settings)
    assert state is not None
    return state


def closed(*members: Trajectory, settings: ProcessorsSettings = SETTINGS) -> list[Output]:
    return close(taken(*members, settings=settings), list(members), "complete", 100)[1]


def samples(outputs: list[Output]) -> list[Sample]:
    return [output.record for output in outputs if isinstance(output.record, Sample)]


def rejections(outputs: list[Output]) -> dict[str, str]:
    return {o.record.step_id: o.record.reason for o in outputs if isinstance(o.record, Rejection)}


def test_a_group_closes_when_all_its_members_are_in() -> None:
    assert closing_reason(taken(member("a")), 1, 1, SETTINGS) is None
    assert closing_reason(taken(member("a"), member("b")), 1, 1, SETTINGS) == "complete"
    assert closing_reason(taken(member("a"), failed("b")), 1, 1, SETTINGS) == "complete"


def test_a_group_waits_for_as_many_as_its_trajectories_say() -> None:
    state = taken(member("a", group_size=3), member("b"))
    assert (state.expected_size, closing_reason(state, 1, 1, SETTINGS)) == (3, None)


def test_a_deadline_passes_only_when_what_came_before_it_has_been_taken() -> None:
    state = taken(member("a"))
    assert closing_reason(state, 10_000, 9_999, SETTINGS) is None
    assert closing_reason(state, 10_000, 10_000, SETTINGS) == "deadline"


def test_statistics_are_over_the_members_that_have_a_reward() -> None:
    settings = ProcessorsSettings(group_size=4)
    told = samples(closed(member("a", 0.0), member("b", 1.0), failed("c"), member("d", 2.0), settings=settings))
    assert [sample.reward for sample in told] == [0.0, 1.0, 2.0]
    (group,) = {(s.group.size, s.group.expected_size, s.group.reward_mean, s.group.reward_std) for s in told}
    assert group == (3, 4, 1.0, 1.0)  # unbiased: sqrt((1 + 0 + 1) / 2)


def test_one_rewarded_member_of_several_is_too_few() -> None:
    outputs = closed(member("a"), failed("b"))
    assert (samples(outputs), rejections(outputs)) == ([], {"step of a": "group_too_small"})


def test_a_group_of_one_is_ready_alone() -> None:
    (sample,) = samples(closed(member("a", 3.0), settings=ProcessorsSettings(group_size=1)))
    assert (sample.group.size, sample.group.reward_mean, sample.group.reward_std) == (1, 3.0, 0.0)


def test_what_comes_again_changes_nothing_and_what_is_new_to_a_closed_group_is_late() -> None:
    a, b, c = member("a"), member("b"), member("c")
    state, _ = close(taken(a, b), [a, b], "complete", 100)
    assert on_trajectory(state, a, 200, SETTINGS) == (state, [])
    state, outputs = on_trajectory(state, c, 200, SETTINGS)
    assert rejections(outputs) == {"step of c": "late"}
    assert on_trajectory(state, c, 300, SETTINGS) == (state, [])


def test_a_trajectory_that_was_closed_and_opened_again_is_not_a_repeat() -> None:
    a, b = member("a"), member("b")
    state, _ = close(taken(a, b), [a, b], "complete", 100)
    again = a_trajectory(trajectory_id="a", step_ids=["next day's step"])
    _, outputs = on_trajectory(state, again, 200, SETTINGS)
    assert rejections(outputs) == {"next day's step": "late"}


def test_a_sample_with_other_steps_has_another_id() -> None:
    settings = ProcessorsSettings(group_size=1)
    first, again = member("a"), a_trajectory(trajectory_id="a", step_ids=["next day's step"])
    assert (
        samples(closed(first, settings=settings))[0].sample_id != samples(closed(again, settings=settings))[0].sample_id
    )


def test_a_validation_group_gives_samples_of_its_channel() -> None:
    told = samples(closed(member("a", channel="val"), member("b", channel="val")))
    assert [sample.channel for sample in told] == ["val", "val"]


def test_closing_again_gives_the_same_bytes() -> None:
    members = [member("a", 0.0), member("b", 1.0)]
    assert [encode(o.record) for o in closed(*members)] == [encode(o.record) for o in closed(*members)]


def test_the_newest_outcome_of_each_source_counts_and_sources_are_summed() -> None:
    later = NOON.replace(hour=13)
    rewards = [
        a_reward(5.0, source="judge", at=later),
        a_reward(1.0, source="agent", at=NOON),
        a_reward(2.0, source="judge", at=NOON),
        a_reward(None, source="agent", at=later),
        a_reward(100.0, source="judge", kind="process", step_id="s1", at=later),
    ]
    assert combined(a_trajectory(rewards=rewards)) == 6.0
    assert combined(a_trajectory(rewards=rewards[-2:])) is None


def test_a_reward_that_is_not_a_number_is_none() -> None:
    assert combined(a_trajectory(rewards=[a_reward(math.nan)])) is None
