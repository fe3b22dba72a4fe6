import msgspec

from clawstream.processors.readiness.grouping import GroupState, amended, close, closing_reason, on_trajectory
from clawstream.processors.readiness.output import Output
from clawstream.processors.settings import ProcessorsSettings
from clawstream.schemas import (
    PolicySpan,
    Rejection,
    ResponseSpan,
    Sample,
    Sequence,
    Trajectory,
    encode,
    pack_logprobs,
    pack_tokens,
    unpack_logprobs,
)
from tests.builders import a_reward, a_trajectory

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


def decided(*members: Trajectory, settings: ProcessorsSettings = SETTINGS) -> GroupState:
    return msgspec.structs.replace(taken(*members, settings=settings), closed_ms=100, closed_by="complete")


def closed(*members: Trajectory, settings: ProcessorsSettings = SETTINGS) -> list[Output]:
    return close(decided(*members, settings=settings), list(members), settings)[1]


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
    state, _ = close(decided(a, b), [a, b], SETTINGS)
    assert on_trajectory(state, a, 200, SETTINGS) == (state, [])
    state, outputs = on_trajectory(state, c, 200, SETTINGS)
    assert rejections(outputs) == {"step of c": "late"}
    assert on_trajectory(state, c, 300, SETTINGS) == (state, [])


def test_a_trajectory_that_was_closed_and_opened_again_is_not_a_repeat() -> None:
    a, b = member("a"), member("b")
    state, _ = close(decided(a, b), [a, b], SETTINGS)
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


def test_rewards_are_combined_by_the_configured_rule() -> None:
    both = [a_reward(1.0, source="agent"), a_reward(3.0, source="judge")]
    told = a_trajectory(rewards=both)
    for rule, weights, expected in (("sum", "", 4.0), ("mean", "", 2.0), ("sum", "judge=0.5", 2.5)):
        settings = ProcessorsSettings(group_size=1, reward_rule=rule, reward_weights=weights)
        assert samples(closed(told, settings=settings))[0].reward == expected


def test_an_amendment_joins_once_and_takes_steps_out() -> None:
    first = a_trajectory(step_ids=["s1", "s2"], sequences=[_two_responses()])
    amendment = a_trajectory(rewards=[a_reward(2.0, source="judge")], sequences=[], excluded_step_ids=["s1"])
    merged = amended(amended(first, amendment), amendment)
    assert [reward.source for reward in merged.rewards] == ["agent", "judge"]
    outputs = closed(merged, settings=ProcessorsSettings(group_size=1))
    (sample,) = samples(outputs)
    assert rejections(outputs) == {"s1": "curated"}
    assert (sample.step_ids, sample.reward) == (["s2"], 3.0)
    (sequence,) = sample.sequences
    assert [span.step_id for span in sequence.responses] == ["s2"]
    assert [span.start for span in sequence.policy_spans] == [5]
    assert unpack_logprobs(sequence.logprobs).tolist() == [0, 0, 0, 0, 0, -0.5, -0.5]


def test_a_member_whose_steps_were_all_taken_out_gives_no_sample() -> None:
    outputs = closed(a_trajectory(excluded_step_ids=["s1"]), settings=ProcessorsSettings(group_size=1))
    assert (samples(outputs), rejections(outputs)) == ([], {"s1": "curated"})


def _two_responses() -> Sequence:
    return Sequence(
        tokens=pack_tokens([1, 2, 3, 4, 9, 5, 6]),
        logprobs=pack_logprobs([0, 0, -0.5, -0.5, 0, -0.5, -0.5]),
        responses=[
            ResponseSpan(step_id="s1", start=2, end=4, temperature=1.0),
            ResponseSpan(step_id="s2", start=5, end=7, temperature=1.0),
        ],
        policy_spans=[PolicySpan(version=0, start=2, end=4), PolicySpan(version=1, start=5, end=7)],
    )
