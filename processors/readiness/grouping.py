"""Closed trajectories become groups, and groups become samples. Pure.

Invariant: a group closes once, when all its members are in or at its deadline; then each trainable step of each member
is in one sample or rejected. A member without a reward counts as arrived and never as zero.

A trajectory's reward is combined from the outcome rewards of its sources (``joins.combining``). Statistics are over the
members that have one and a step to train.
"""

from statistics import fmean, stdev

import msgspec

from clawstream.processors.joins.combining import combined, values
from clawstream.processors.readiness import filters
from clawstream.processors.readiness.output import Output, rejections
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.tables.kept import State
from clawstream.schemas import GroupStatistics, Sample, Trajectory, derived_id
from clawstream.schemas.reading.sequences import without
from clawstream.topics import SAMPLES


class GroupState(State, frozen=True, kw_only=True):
    """What is known of a group; its trajectories are kept beside it."""

    group_id: str
    first_arrival_ms: int
    expected_size: int
    member_names: tuple[str, ...] = ()  # as in ``member_name``
    late_names: tuple[str, ...] = ()  # those that came after it was closed
    newest: dict[str, int] = msgspec.field(default_factory=dict)  # of its models when it was decided to close it

    @property
    def names(self) -> tuple[str, ...]:
        """Its members."""
        return self.member_names


def on_trajectory(
    state: GroupState | None, trajectory: Trajectory, now_ms: int, settings: ProcessorsSettings
) -> tuple[GroupState, list[Output]]:
    """Take a member that arrived at ``now_ms``; the steps of one whose group is closed are rejected."""
    size = 1 if settings.ready == "trajectory" else trajectory.group_size or settings.group_size
    state = state or GroupState(group_id=trajectory.group_id, first_arrival_ms=now_ms, expected_size=size)
    name = member_name(trajectory)
    if name in state.member_names or name in state.late_names or trajectory.amends:
        return state, []
    if state.closed_ms is not None:
        detail = f"its trajectory came after its group was closed ({state.closed_by})"
        late = msgspec.structs.replace(state, late_names=(*state.late_names, name))
        return late, rejections(trajectory, "late", detail)
    names = (*state.member_names, name)
    return msgspec.structs.replace(state, member_names=names, expected_size=max(size, state.expected_size)), []


def amended(member: Trajectory, amendment: Trajectory) -> Trajectory:
    """``member`` with the rewards and exclusions of ``amendment``; what it has already stays as it is."""
    known = {reward.reward_id for reward in member.rewards}
    gone = [step_id for step_id in amendment.excluded_step_ids if step_id not in member.excluded_step_ids]
    return msgspec.structs.replace(
        member,
        rewards=[*member.rewards, *(reward for reward in amendment.rewards if reward.reward_id not in known)],
        excluded_step_ids=[*member.excluded_step_ids, *gone],
    )


def without_excluded(member: Trajectory) -> tuple[Trajectory, list[Output]]:
    """``member`` without the steps that an amendment took out, and their rejections."""
    gone = set(member.excluded_step_ids)
    if not gone:
        return member, []
    excluded = msgspec.structs.replace(member, step_ids=[step_id for step_id in member.step_ids if step_id in gone])
    kept = msgspec.structs.replace(
        member,
        step_ids=[step_id for step_id in member.step_ids if step_id not in gone],
        sequences=[left for sequence in member.sequences if (left := without(sequence, gone)).responses],
    )
    return kept, rejections(excluded, "curated", "a reviewer took it out after its trajectory was closed")


def member_name(trajectory: Trajectory) -> str:
    """What a member is known by: a trajectory that was closed and opened again, with other steps, is another member."""
    return derived_id("member", trajectory.trajectory_id, *trajectory.step_ids)


def closing_reason(state: GroupState, now_ms: int, settled_ms: int, settings: ProcessorsSettings) -> str | None:
    """Why the group closes now; None while it stays open. ``settled_ms`` as for trajectories."""
    if state.closed_ms is not None:
        return None
    if len(state.member_names) >= state.expected_size:
        return "complete"
    due = state.first_arrival_ms + 1000 * settings.group_deadline_seconds
    return "deadline" if now_ms >= due and settled_ms >= due else None


def close(
    state: GroupState, members: list[Trajectory], settings: ProcessorsSettings
) -> tuple[GroupState, list[Output]]:
    """Close ``state``, whose members are ``members``, as was decided."""
    outputs, left = list[Output](), list[Trajectory]()
    for member in members:
        kept, rejected = without_excluded(member)
        left.append(kept)
        outputs += rejected
    rewarded = list[tuple[Trajectory, float]]()
    for member in left:
        reward = _reward(member, settings) if member.step_ids else None
        if reward is None:
            continue
        if refused := filters.refused(member.sequences, reward, state.newest, settings):
            outputs += rejections(member, *refused)
        else:
            rewarded.append((member, reward))
    left = [member for member, _ in rewarded]
    if len(rewarded) < min(2, state.expected_size):
        detail = f"{len(rewarded)} of its group's {state.expected_size} members have a reward, at least 2 are needed"
        outputs += [output for member in left for output in rejections(member, "group_too_small", detail)]
    elif equal := filters.all_equal([reward for _, reward in rewarded], settings):
        outputs += [output for member in left for output in rejections(member, *equal)]
    else:
        statistics = _statistics([reward for _, reward in rewarded], state.expected_size, state.closed_by or "complete")
        outputs += [Output(SAMPLES, _sample(member, reward, statistics)) for member, reward in rewarded]
    return msgspec.structs.replace(state, put_out=True), outputs


def _reward(member: Trajectory, settings: ProcessorsSettings) -> float | None:
    return combined(values(member.rewards), settings.reward_rule, settings.weights)


def _statistics(rewards: list[float], expected_size: int, closed_by: str) -> GroupStatistics:
    return GroupStatistics(
        size=len(rewards),
        expected_size=expected_size,
        reward_mean=fmean(rewards),
        reward_std=stdev(rewards) if len(rewards) > 1 else 0.0,
        closed_by=closed_by,
    )


def _sample(trajectory: Trajectory, reward: float, statistics: GroupStatistics) -> Sample:
    return Sample(
        sample_id=derived_id("sample", trajectory.tenant, trajectory.trajectory_id, *trajectory.step_ids),
        trajectory_id=trajectory.trajectory_id,
        group_id=trajectory.group_id,
        tenant=trajectory.tenant,
        agent=trajectory.agent,
        channel=trajectory.channel,
        step_ids=trajectory.step_ids,
        sequences=trajectory.sequences,
        reward=reward,
        rewards=trajectory.rewards,
        group=statistics,
        logprobs_mode=trajectory.logprobs_mode,
        ready_at=trajectory.closed_at,
    )
