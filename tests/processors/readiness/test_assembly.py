import msgspec
import pytest

from clawstream.processors.joins.combining import values
from clawstream.processors.readiness.assembly import TrajectoryState, on_feedback, on_step
from clawstream.processors.readiness.ending import closing_reason
from clawstream.processors.settings import ProcessorsSettings
from clawstream.schemas import Feedback, Rejection, Reward, Step
from tests.builders import a_feedback, a_step

SETTINGS = ProcessorsSettings(idle_seconds=100, max_age_seconds=1000, reward_deadline_seconds=10)


def after(*events: Step | Feedback, now_ms: int = 0) -> TrajectoryState:
    """The state after steps and feedback that all arrived at ``now_ms``."""
    state: TrajectoryState | None = None
    for event in events:
        if isinstance(event, Step):
            state, _ = on_step(state, event, now_ms)
        else:
            state, _ = on_feedback(state, event, now_ms)
    assert state is not None
    return state


def reason(state: TrajectoryState, now_ms: int, settled_ms: int | None = None) -> str | None:
    return closing_reason(state, now_ms, now_ms if settled_ms is None else settled_ms, SETTINGS)


def test_an_event_that_comes_again_changes_nothing() -> None:
    step, said = a_step(), a_feedback("rewarded", reward=1.0)
    state = after(step, said)
    assert on_step(state, step, 5) == (state, [])
    assert on_feedback(state, said, 5) == (state, [])


def test_a_steps_group_counts_over_that_of_feedback_whichever_came_first() -> None:
    said, step = a_feedback("rewarded", group_id="t1", reward=1.0), a_step(group_id="g7")
    assert after(said, step).group_id == after(step, said).group_id == "g7"
    assert after(step, a_step(group_id="g8")).group_id == "g7"


def test_completed_closes_once_all_that_the_log_held_has_been_taken() -> None:
    state = after(a_feedback(reward=1.0), now_ms=50)
    assert reason(state, 60, settled_ms=49) is None
    assert reason(state, 60, settled_ms=50) == "completed"


def test_completed_before_its_last_step_is_the_same_as_after_it() -> None:
    step, done = a_step(), a_feedback(reward=1.0)
    first, second = after(step, done), after(done, step)
    assert first.step_ids == second.step_ids == (step.step_id,)
    assert reason(first, 1) == reason(second, 1) == "completed"


def test_completed_without_a_reward_waits_for_it() -> None:
    state = after(a_step(), a_feedback())
    assert reason(state, 9_999) is None
    rewarded, _ = on_feedback(state, a_feedback("rewarded", reward=0.0), 5_000)
    assert reason(rewarded, 5_001) == "completed"
    assert reason(state, 10_000) == "completed"


def test_silence_does_not_shorten_the_wait_for_a_reward() -> None:
    state = after(a_step(), a_feedback())
    settings = ProcessorsSettings(idle_seconds=8, reward_deadline_seconds=60)
    assert closing_reason(state, 9_000, 9_000, settings) is None


def test_aborted_closes_with_or_without_a_reward() -> None:
    assert reason(after(a_step(), a_feedback("aborted")), 1) == "aborted"


def test_the_first_ending_counts() -> None:
    assert after(a_feedback("aborted"), a_feedback(reward=1.0)).ended_by == "aborted"


@pytest.mark.parametrize(
    ("now_ms", "settled_ms", "expected"),
    [
        (99_999, 99_999, None),
        (100_000, 99_999, None),  # the processors are behind: the silence may be theirs
        (100_000, 100_000, "idle"),
    ],
)
def test_silence_closes_once_it_is_known_to_be_silence(now_ms: int, settled_ms: int, expected: str | None) -> None:
    assert reason(after(a_step()), now_ms, settled_ms) == expected


def test_age_closes_what_never_falls_silent() -> None:
    state = after(a_step())
    for second in range(50, 1001, 50):
        state, _ = on_step(state, a_step(), second * 1000)
    assert reason(state, 1_000_000) == "max_age"


def test_a_closed_trajectory_rejects_what_is_new_and_knows_what_is_not() -> None:
    old, new = a_step(), a_step()
    state = msgspec.structs.replace(after(old), closed_ms=100)
    assert on_step(state, old, 2_100) == (state, [])
    remembered, (output,) = on_step(state, new, 2_100)
    assert isinstance(output.record, Rejection)
    assert (output.record.step_id, output.record.reason) == (new.step_id, "late")
    assert on_step(remembered, new, 3_000) == (remembered, [])


def test_rewards_of_a_step_and_of_the_trajectory_are_told_apart() -> None:
    _, (outcome,) = on_feedback(None, a_feedback("rewarded", reward=1.0), 0)
    _, (process,) = on_feedback(None, a_feedback("rewarded", reward=0.5, step_id="s1"), 0)
    assert isinstance(outcome.record, Reward)
    assert isinstance(process.record, Reward)
    assert (outcome.record.kind, process.record.kind, process.record.step_id) == ("outcome", "process", "s1")


def test_a_reward_that_is_missing_is_not_zero() -> None:
    assert values(after(a_feedback("rewarded")).rewards) == {}
    assert values(after(a_feedback("rewarded", reward=0.0)).rewards) == {"agent": 0.0}
    assert values(after(a_feedback("rewarded", reward=1.0, step_id="s1")).rewards) == {}


def test_an_opening_says_what_the_trajectory_is() -> None:
    state = after(a_step(), a_feedback("opened", channel="val", group_size=4, detail_json='{"task": 1}'), a_feedback())
    assert (state.channel, state.group_size, state.metadata_json) == ("val", 4, '{"task": 1}')
