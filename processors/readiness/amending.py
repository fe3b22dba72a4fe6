"""What comes after a trajectory was put out, while its group is open. Pure.

Invariant: what comes between the decision to close it and its being put out waits, for what is put out must not change
its mind. An amendment names the trajectory by its steps, so it reaches the member that it is about or nobody.
"""

from msgspec.structs import replace

from clawstream.processors.joins.stated import reward_in
from clawstream.processors.readiness.assembly import TrajectoryState
from clawstream.processors.readiness.output import Output
from clawstream.schemas import Feedback, Reward, Trajectory
from clawstream.schemas.reading.curation import excluded, read_curation
from clawstream.topics import REWARDS, TRAJECTORIES


def amended(state: TrajectoryState, feedback: Feedback) -> tuple[TrajectoryState, list[Output]]:
    """What ``feedback`` changes in a closed trajectory: a reward, or steps that must not train any more."""
    if not state.put_out:
        return replace(state, amending=(*state.amending, feedback)), []
    reward, excluded_ids = reward_in(feedback), list[str]()
    if feedback.kind == "curated":
        state = replace(state, curations=(*state.curations, read_curation(feedback)))
        gone = excluded(state.curations, state.step_ids)
        excluded_ids = [step_id for step_id in state.told_ids if step_id in gone]
    return state, amendment(state, reward, excluded_ids)


def amendment(state: TrajectoryState, reward: Reward | None, excluded_ids: list[str]) -> list[Output]:
    """The record that tells the group; none when there is nothing to tell, or nothing of it was to train."""
    if not state.told_ids or (reward is None and not excluded_ids):
        return []
    record = Trajectory(
        trajectory_id=state.trajectory_id,
        group_id=state.group_id,
        tenant=state.tenant,
        agent=state.agent,
        channel=state.channel or "train",
        opened_at=state.first_event_at,
        closed_at=state.last_event_at,
        closed_by=state.closed_by or "completed",
        step_ids=list(state.told_ids),
        sequences=[],
        rewards=[] if reward is None else [reward],
        logprobs_mode="",
        amends=True,
        excluded_step_ids=excluded_ids,
    )
    return [Output(TRAJECTORIES, record)]


def scored_late(state: TrajectoryState, reward: Reward) -> list[Output]:
    """What follows from a reward that a processor gave to a closed trajectory."""
    outputs = [Output(REWARDS, reward)]
    return outputs + amendment(state, reward, []) if state.put_out and reward.value is not None else outputs
