"""Which reward processors must still look at what, of a trajectory. Pure.

Invariant: a job is named by what it scores, so it is done once its reward is there, whoever did it; a trajectory that
got another step after it was scored is scored again.
"""

from collections.abc import Iterable
from typing import NamedTuple

from clawstream.processors.readiness.assembly import TrajectoryState
from clawstream.processors.rewards.scorer import Scorer
from clawstream.schemas import derived_id


class Job(NamedTuple):
    """One thing for one reward processor to look at."""

    reward_id: str  # of the reward that it will give
    scorer: Scorer
    step_id: str | None = None  # None: the whole trajectory
    next_state_id: str | None = None
    ended_by: str | None = None  # of a whole trajectory


def of_steps(state: TrajectoryState, scorers: Iterable[Scorer]) -> list[Job]:
    """What is to be scored of its steps and of the first thing that followed each, and is not yet. Side turns are
    scored by nobody."""
    done = {reward.reward_id for reward in state.rewards}
    main = [step_id for step_id in state.step_ids if step_id not in state.side_ids]
    first = dict(reversed(state.followed))
    jobs = []
    for scorer in scorers:
        if scorer.over == "step":
            jobs += [Job(_reward_id(state, scorer, step_id), scorer, step_id) for step_id in main]
        elif scorer.over == "next_state":
            jobs += [
                Job(_reward_id(state, scorer, step_id, first[step_id]), scorer, step_id, first[step_id])
                for step_id in main
                if step_id in first
            ]
    return [job for job in jobs if job.reward_id not in done]


def of_whole(state: TrajectoryState, scorers: Iterable[Scorer], ended_by: str) -> list[Job]:
    """What is to be scored of the whole trajectory, now that it has ended, and is not yet."""
    done = {reward.reward_id for reward in state.rewards}
    if not state.step_ids:
        return []
    jobs = [
        Job(_reward_id(state, scorer, *state.step_ids), scorer, ended_by=ended_by)
        for scorer in scorers
        if scorer.over == "trajectory"
    ]
    return [job for job in jobs if job.reward_id not in done]


def _reward_id(state: TrajectoryState, scorer: Scorer, *subject: str) -> str:
    return derived_id("score", scorer.name, state.tenant, state.trajectory_id, *subject)
