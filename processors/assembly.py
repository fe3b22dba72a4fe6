"""Steps and feedback become an open trajectory, until it is time to close it. Pure.

Invariant: the order in which events of the two topics arrive does not matter, and an event that arrives again changes
nothing. States::

    OPEN -> ENDED (completed or aborted) -> CLOSED -> put out -> forgotten
    OPEN -> CLOSED (idle, too old)

A closed trajectory is remembered for a while by its step ids: a step read again is known from one that is late.
"""

import math
from datetime import datetime

import msgspec

from clawstream.processors.output import Output, rejection
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.tables import State
from clawstream.schemas import Feedback, Reward, Step, derived_id
from clawstream.topics import REWARDS


class TrajectoryState(State, frozen=True, kw_only=True):
    """What is known of a trajectory; its steps' records are kept beside it."""

    trajectory_id: str
    tenant: str
    group_id: str
    first_arrival_ms: int
    last_arrival_ms: int
    first_event_at: datetime
    last_event_at: datetime
    agent: str = ""
    channel: str | None = None  # as it was opened with; a step's own counts where none was
    group_size: int | None = None
    metadata_json: str | None = None
    step_ids: tuple[str, ...] = ()
    feedback_ids: tuple[str, ...] = ()
    rewards: tuple[Reward, ...] = ()
    ended_by: str | None = None
    ended_arrival_ms: int = 0
    late_ids: tuple[str, ...] = ()  # steps that came after it was closed

    @property
    def names(self) -> tuple[str, ...]:
        """Its steps."""
        return self.step_ids

    @property
    def outcome_known(self) -> bool:
        """Has the whole trajectory a reward?"""
        return any(reward.kind == "outcome" and reward.value is not None for reward in self.rewards)


Event = Step | Feedback


def opened(event: Event, now_ms: int) -> TrajectoryState:
    """The state before the first event."""
    at = event.received_at if isinstance(event, Step) else event.at
    return TrajectoryState(
        trajectory_id=event.trajectory_id,
        tenant=event.tenant,
        group_id=event.group_id,
        first_arrival_ms=now_ms,
        last_arrival_ms=now_ms,
        first_event_at=at,
        last_event_at=at,
    )


def on_step(state: TrajectoryState | None, step: Step, now_ms: int) -> tuple[TrajectoryState, list[Output]]:
    """Take a step that arrived at ``now_ms``; a late one is rejected. Its group counts over one that feedback named."""
    state = state or opened(step, now_ms)
    if step.step_id in state.step_ids or step.step_id in state.late_ids:
        return state, []
    if state.closed_ms is not None:
        detail = f"it came after its trajectory was closed ({state.closed_by})"
        late = msgspec.structs.replace(state, late_ids=(*state.late_ids, step.step_id))
        return late, [rejection(step, "late", detail)]
    changed = msgspec.structs.replace(
        state,
        step_ids=(*state.step_ids, step.step_id),
        group_id=state.group_id if state.step_ids else step.group_id,
        agent=state.agent or step.agent,
        last_arrival_ms=now_ms,
        first_event_at=min(state.first_event_at, step.received_at),
        last_event_at=max(state.last_event_at, step.finished_at),
    )
    return changed, []


def on_feedback(state: TrajectoryState | None, feedback: Feedback, now_ms: int) -> tuple[TrajectoryState, list[Output]]:
    """Take a statement that arrived at ``now_ms``; a reward is always put out, also a late one."""
    state = state or opened(feedback, now_ms)
    if feedback.feedback_id in state.feedback_ids:
        return state, []
    said = (*state.feedback_ids, feedback.feedback_id)
    reward = _reward(feedback) if feedback.kind in ("rewarded", "completed") else None
    outputs = [Output(REWARDS, reward)] if reward is not None else []
    if state.closed_ms is not None:
        return msgspec.structs.replace(state, feedback_ids=said), outputs
    ends = feedback.kind in ("completed", "aborted") and state.ended_by is None
    opens = feedback.kind == "opened"
    changed = msgspec.structs.replace(
        state,
        feedback_ids=said,
        rewards=(*state.rewards, reward) if reward is not None else state.rewards,
        last_arrival_ms=now_ms,
        last_event_at=max(state.last_event_at, feedback.at),
        first_event_at=min(state.first_event_at, feedback.at),
        ended_by=feedback.kind if ends else state.ended_by,
        ended_arrival_ms=now_ms if ends else state.ended_arrival_ms,
        channel=(feedback.channel or state.channel) if opens else state.channel,
        group_size=(feedback.group_size or state.group_size) if opens else state.group_size,
        metadata_json=(feedback.detail_json or state.metadata_json) if opens else state.metadata_json,
    )
    return changed, outputs


def closing_reason(state: TrajectoryState, now_ms: int, settled_ms: int, settings: ProcessorsSettings) -> str | None:
    """Why the trajectory closes now; None while it stays open.

    ``settled_ms``: every event that was in the log at that time has been taken. A step is in the log before its agent
    can complete the trajectory, so once ``settled_ms`` has passed the completion, no step of it is missing.
    """
    if state.closed_ms is not None:
        return None
    if state.ended_by is not None and settled_ms >= state.ended_arrival_ms:
        deadline = state.ended_arrival_ms + 1000 * settings.reward_deadline_seconds
        if state.ended_by == "aborted" or state.outcome_known or now_ms >= deadline:
            return state.ended_by
    if state.ended_by is not None:
        return None
    for reason, due in (
        ("idle", state.last_arrival_ms + 1000 * settings.idle_seconds),
        ("max_age", state.first_arrival_ms + 1000 * settings.max_age_seconds),
    ):
        if now_ms >= due and settled_ms >= due:
            return reason
    return None


def _reward(feedback: Feedback) -> Reward | None:
    """The reward in ``feedback``; what is not a number is none."""
    if feedback.reward is None or not math.isfinite(feedback.reward):
        return None
    return Reward(
        reward_id=derived_id("reward", feedback.feedback_id),
        trajectory_id=feedback.trajectory_id,
        step_id=feedback.step_id,
        tenant=feedback.tenant,
        value=feedback.reward,
        source=feedback.source,
        kind="outcome" if feedback.step_id is None else "process",
        at=feedback.at,
    )
