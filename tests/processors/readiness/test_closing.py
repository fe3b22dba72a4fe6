import msgspec
import pytest

from clawstream.processors.readiness.amending import amended
from clawstream.processors.readiness.assembly import TrajectoryState, on_feedback, on_step
from clawstream.processors.readiness.closing import close
from clawstream.processors.readiness.output import Output
from clawstream.processors.settings import ProcessorsSettings
from clawstream.schemas import Feedback, Rejection, Step, Trajectory, encode
from tests.builders import a_feedback, a_step
from tests.processors.conversations import a_tree


def closed(
    steps: list[Step], feedback: list[Feedback], closed_by: str = "completed", max_bytes: int = 10_000
) -> list[Output]:
    state: TrajectoryState | None = None
    for said in feedback:
        state, _ = on_feedback(state, said, 0)
    for step in steps:
        state, _ = on_step(state, step, 0)
    assert state is not None
    state = msgspec.structs.replace(state, closed_ms=100, closed_by=closed_by)
    return close(state, steps, list(state.rewards), ProcessorsSettings(max_trajectory_bytes=max_bytes))[1]


def trajectory(outputs: list[Output]) -> Trajectory:
    (found,) = [output.record for output in outputs if isinstance(output.record, Trajectory)]
    return found


def rejections(outputs: list[Output]) -> dict[str, str]:
    return {o.record.step_id: o.record.reason for o in outputs if isinstance(o.record, Rejection)}


def test_a_rewarded_trajectory_holds_its_steps_and_rewards() -> None:
    outputs = closed(a_tree([None, 0]), [a_feedback(reward=0.5)])
    told = trajectory(outputs)
    assert (told.step_ids, [r.value for r in told.rewards], told.closed_by) == (["s0", "s1"], [0.5], "completed")
    assert rejections(outputs) == {}


@pytest.mark.parametrize(
    ("feedback", "closed_by", "expected"),
    [
        (a_feedback("aborted", reward=1.0), "aborted", "aborted"),
        (a_feedback(), "completed", "reward_missing"),
        (a_feedback("rewarded", reward=1.0, step_id="s0"), "idle", "reward_missing"),
    ],
)
def test_a_trajectory_that_cannot_train_is_told_without_steps(
    feedback: Feedback, closed_by: str, expected: str
) -> None:
    outputs = closed(a_tree([None, 0]), [feedback], closed_by)
    assert rejections(outputs) == {"s0": expected, "s1": expected}
    assert (trajectory(outputs).step_ids, trajectory(outputs).sequences) == ([], [])


def test_a_trajectory_that_no_record_can_hold_does_not_train() -> None:
    outputs = closed(a_tree([None, 0]), [a_feedback(reward=1.0)], max_bytes=40)
    assert rejections(outputs) == {"s0": "too_large", "s1": "too_large"}
    assert trajectory(outputs).sequences == []


def test_the_opening_names_the_channel_of_every_record() -> None:
    steps = [a_step(channel="train", trainable=False, untrainable_reason="empty: nothing"), a_step(channel="train")]
    outputs = closed(steps, [a_feedback("opened", channel="val"), a_feedback(reward=1.0)])
    assert trajectory(outputs).channel == "val"
    assert {o.record.channel for o in outputs if isinstance(o.record, Rejection)} == {"val"}


def test_without_an_opening_the_first_step_names_the_channel() -> None:
    assert trajectory(closed([a_step(channel="val"), a_step()], [a_feedback(reward=1.0)])).channel == "val"


def test_closing_again_gives_the_same_bytes() -> None:
    steps, feedback = a_tree([None, 0, 0]), [a_feedback(reward=1.0)]
    once, again = closed(steps, feedback), closed(steps, feedback)
    assert [encode(o.record) for o in once] == [encode(o.record) for o in again]


def test_what_a_reviewer_took_out_does_not_train_and_the_rest_does() -> None:
    said = a_feedback("curated", step_id="s0", source="console", detail_json='{"trainable": false}')
    outputs = closed(a_tree([None, 0]), [said, a_feedback(reward=1.0)])
    assert rejections(outputs) == {"s0": "curated"}
    assert trajectory(outputs).step_ids == ["s1"]


def test_what_comes_while_it_is_being_closed_amends_it_after_it_was_put_out() -> None:
    steps = a_tree([None])
    state, _ = on_feedback(None, a_feedback(reward=1.0), 0)
    state, _ = on_step(state, steps[0], 0)
    deciding = msgspec.structs.replace(state, closed_ms=100, closed_by="completed")
    deciding, outputs = amended(deciding, a_feedback("curated", detail_json='{"trainable": false}'))
    assert outputs == []
    outputs = close(deciding, steps, list(deciding.rewards), ProcessorsSettings())[1]
    told, amendment = (o.record for o in outputs if isinstance(o.record, Trajectory))
    assert (told.step_ids, told.amends) == (["s0"], False)
    assert (amendment.amends, amendment.excluded_step_ids) == (True, ["s0"])
