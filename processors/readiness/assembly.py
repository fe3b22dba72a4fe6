"""Steps and feedback become an open trajectory, until it is time to close it. Pure.

Invariant: the order in which events of the two topics arrive does not matter, and an event that arrives again changes
nothing. States::

    OPEN -> ENDED (completed or aborted) -> CLOSED -> put out -> forgotten
    OPEN -> CLOSED (idle, too old)

A closed trajectory is remembered for a while by its step ids: a step read again is known from one that is late. What
feedback says of one that is put out amends it, as long as its group is open.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec

from clawstream.processors.joins.next_states import observation, reply
from clawstream.processors.joins.stated import reward_in
from clawstream.processors.readiness.output import Output, rejection
from clawstream.processors.tables.kept import State
from clawstream.schemas import Feedback, Reward, Step, Vote
from clawstream.schemas.reading.curation import Curation, read_curation
from clawstream.topics import NEXT_STATES, REWARDS


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """An observation that names no step, until it is known which step it follows."""

    feedback: Feedback
    arrival_ms: int


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A step that is ready by itself, with what its sample holds."""

    step_id: str
    reward: float
    reward_ids: tuple[str, ...]
    version: int | None = None  # newest then of the model that sampled it, where that matters
    excluded_by: str | None = None  # the reviewer who took it out


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
    finished_at: tuple[datetime, ...] = ()  # of each step
    side_ids: tuple[str, ...] = ()  # steps that nothing follows: side turns
    missing_ids: tuple[str, ...] = ()  # steps that others continue and that have not come
    followed: tuple[tuple[str, str], ...] = ()  # step and next state, in the order in which they were known
    observed: tuple[Observed, ...] = ()
    curations: tuple[Curation, ...] = ()
    feedback_ids: tuple[str, ...] = ()
    rewards: tuple[Reward, ...] = ()  # without what is large
    scored_ids: tuple[str, ...] = ()  # rewards that processors gave, kept whole beside it
    ended_by: str | None = None
    ended_arrival_ms: int = 0
    asked_ms: int = 0  # when reward processors were first asked about the whole of it
    decided: tuple[Decided, ...] = ()  # steps that were ready one by one
    sampled: int = 0  # how many of those were put out
    told_ids: tuple[str, ...] = ()  # steps that were put out to train
    amending: tuple[Feedback, ...] = ()  # what came between the decision to close it and its being put out
    late_ids: tuple[str, ...] = ()  # steps that came after it was closed

    @property
    def names(self) -> tuple[str, ...]:
        """Its steps."""
        return self.step_ids

    @property
    def more_names(self) -> tuple[str, ...]:
        """Rewards that processors gave, and what followed steps, as bytes."""
        return (*map(score_name, self.scored_ids), *(next_state_name(next_state) for _, next_state in self.followed))


def score_name(reward_id: str) -> str:
    """What a reward that a processor gave is kept by."""
    return f"score:{reward_id}"


def next_state_name(next_state_id: str) -> str:
    """What a next state is kept by."""
    return f"next:{next_state_id}"


Event = Step | Feedback
Earlier = Callable[[], list[Step]]  # the steps of a trajectory that were taken before, in log order


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


def on_step(
    state: TrajectoryState | None, step: Step, now_ms: int, earlier: Earlier = list
) -> tuple[TrajectoryState, list[Output]]:
    """Take a step that arrived at ``now_ms``; a late one is rejected. Its group counts over one that feedback named."""
    state = state or opened(step, now_ms)
    if step.step_id in state.step_ids or step.step_id in state.late_ids:
        return state, []
    if state.closed_ms is not None:
        detail = f"it came after its trajectory was closed ({state.closed_by})"
        late = msgspec.structs.replace(state, late_ids=(*state.late_ids, step.step_id))
        return late, [rejection(step, "late", detail)]
    follows = reply(step, earlier() if step.prompt_prefix is None and state.step_ids else ())
    is_new = follows is not None and all(known != follows.next_state_id for _, known in state.followed)
    changed = msgspec.structs.replace(
        state,
        step_ids=(*state.step_ids, step.step_id),
        finished_at=(*state.finished_at, step.finished_at),
        side_ids=state.side_ids if step.turn_type == "main" else (*state.side_ids, step.step_id),
        followed=(*state.followed, (follows.step_id, follows.next_state_id)) if follows and is_new else state.followed,
        missing_ids=_missing(state, step),
        group_id=state.group_id if state.step_ids else step.group_id,
        agent=state.agent or step.agent,
        last_arrival_ms=now_ms,
        first_event_at=min(state.first_event_at, step.received_at),
        last_event_at=max(state.last_event_at, step.finished_at),
    )
    return changed, [Output(NEXT_STATES, follows)] if follows and is_new else []


def _missing(state: TrajectoryState, step: Step) -> tuple[str, ...]:
    missing = tuple(step_id for step_id in state.missing_ids if step_id != step.step_id)
    prefix = step.prompt_prefix
    known = prefix is None or prefix.step_id in (*state.step_ids, *missing)
    return missing if known or prefix is None else (*missing, prefix.step_id)


def on_feedback(state: TrajectoryState | None, feedback: Feedback, now_ms: int) -> tuple[TrajectoryState, list[Output]]:
    """Take a statement that arrived at ``now_ms``; a reward or an observed next state is always put out, also late.
    What it changes in a trajectory that is closed is for ``amending``."""
    state = state or opened(feedback, now_ms)
    if feedback.feedback_id in state.feedback_ids:
        return state, []
    state = msgspec.structs.replace(state, feedback_ids=(*state.feedback_ids, feedback.feedback_id))
    reward = reward_in(feedback)
    outputs = [Output(REWARDS, reward)] if reward is not None else []
    seen = observation(feedback, feedback.step_id) if feedback.kind == "observed" and feedback.step_id else None
    if seen is not None:
        outputs.append(Output(NEXT_STATES, seen))
    if state.closed_ms is not None:
        return state, outputs
    if seen is not None:
        state = msgspec.structs.replace(state, followed=(*state.followed, (seen.step_id, seen.next_state_id)))
    elif feedback.kind == "observed":
        waiting = Observed(feedback=feedback, arrival_ms=now_ms)
        state = msgspec.structs.replace(state, observed=(*state.observed, waiting))
    elif feedback.kind == "curated":
        state = msgspec.structs.replace(state, curations=(*state.curations, read_curation(feedback)))
    ends = feedback.kind in ("completed", "aborted") and state.ended_by is None
    opens = feedback.kind == "opened"
    changed = msgspec.structs.replace(
        state,
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


def on_score(state: TrajectoryState, reward: Reward) -> tuple[TrajectoryState, list[Output]]:
    """Take what a reward processor gave to an open trajectory; one that is known changes nothing."""
    if any(known.reward_id == reward.reward_id for known in state.rewards):
        return state, []
    small = msgspec.structs.replace(reward, votes=[_small(vote) for vote in reward.votes], teacher_logprobs=None)
    rewards, scored_ids = (*state.rewards, small), (*state.scored_ids, reward.reward_id)
    return msgspec.structs.replace(state, rewards=rewards, scored_ids=scored_ids), [Output(REWARDS, reward)]


def _small(vote: Vote) -> Vote:
    return msgspec.structs.replace(vote, raw="")


def attribute(state: TrajectoryState, settled_ms: int) -> tuple[TrajectoryState, list[Output]]:
    """Observations that name no step follow the last answer before them, once every step before them was taken."""
    outputs, followed, waiting = list[Output](), state.followed, list[Observed]()
    for seen in state.observed:
        if settled_ms < seen.arrival_ms:
            waiting.append(seen)
        elif (step_id := _last_before(state, seen.feedback.at)) is not None:
            next_state = observation(seen.feedback, step_id)
            followed = (*followed, (step_id, next_state.next_state_id))
            outputs.append(Output(NEXT_STATES, next_state))
    if len(waiting) == len(state.observed):
        return state, []
    return msgspec.structs.replace(state, observed=tuple(waiting), followed=followed), outputs


def _last_before(state: TrajectoryState, moment: datetime) -> str | None:
    answered = zip(state.step_ids, state.finished_at, strict=True)
    before = [(at, step_id) for step_id, at in answered if at <= moment and step_id not in state.side_ids]
    return max(before)[1] if before else None
