"""When a trajectory is over, and what it still waits for then. Pure.

Invariant: nothing is waited for longer than ``reward_deadline_seconds``; what then is missing is null, never 0::

    12:00:00  completed                        over, once all that was in the log has been taken
    12:00:04  the judge has scored it          closed: completed, with its reward
    12:01:00  (or the judge has not)           closed: completed; required and missing: its steps are rejected
"""

from collections.abc import Sequence
from typing import NamedTuple

from clawstream.processors.joins.combining import values
from clawstream.processors.readiness import jobs
from clawstream.processors.readiness.assembly import TrajectoryState
from clawstream.processors.rewards.scorer import Scorer
from clawstream.processors.settings import ProcessorsSettings
from clawstream.schemas.reading.curation import is_reviewed


class Ending(NamedTuple):
    """No more steps are expected."""

    reason: str  # completed, aborted, idle or max_age
    since_ms: int  # its deadlines count from here


def ending(state: TrajectoryState, now_ms: int, settled_ms: int, settings: ProcessorsSettings) -> Ending | None:
    """Why the trajectory is over; None while it goes on, or while that is not known.

    ``settled_ms``: every event that was in the log at that time has been taken. A step is in the log before its agent
    can complete the trajectory, so once ``settled_ms`` has passed the completion, no step of it is missing.
    """
    if state.closed_ms is not None or any(seen.arrival_ms <= settled_ms for seen in state.observed):
        return None
    if state.ended_by is not None:
        since_ms = state.ended_arrival_ms
        return Ending(state.ended_by, since_ms) if settled_ms >= since_ms else None
    for reason, due in (
        ("idle", state.last_arrival_ms + round(1000 * settings.idle_seconds)),
        ("max_age", state.first_arrival_ms + round(1000 * settings.max_age_seconds)),
    ):
        if now_ms >= due and settled_ms >= due:
            return Ending(reason, due)
    return None


def closing_reason(
    state: TrajectoryState,
    now_ms: int,
    settled_ms: int,
    settings: ProcessorsSettings,
    scorers: Sequence[Scorer] = (),
) -> str | None:
    """Why the trajectory closes now; None while it stays open."""
    over = ending(state, now_ms, settled_ms, settings)
    if over is None:
        return None
    if over.reason == "aborted":
        return over.reason
    deadline_ms = round(1000 * settings.reward_deadline_seconds)
    if scorers and (jobs.of_steps(state, scorers) or jobs.of_whole(state, scorers, over.reason)):
        asked_ms = state.asked_ms if state.asked_ms >= over.since_ms else now_ms  # a worker that was down asks later
        return over.reason if now_ms >= asked_ms + deadline_ms else None
    if now_ms >= over.since_ms + deadline_ms:
        return over.reason
    has_gap = bool(state.missing_ids) and now_ms < over.since_ms + 1000 * settings.gap_seconds
    return None if has_gap or _waits(state, over, settings) else over.reason


def look_again_ms(state: TrajectoryState, now_ms: int, settled_ms: int, settings: ProcessorsSettings) -> int:
    """When it may be over, or need not be waited for any more, unless it changes before."""
    over = ending(state, now_ms, settled_ms, settings)
    if over is not None:
        waits = (settings.gap_seconds, settings.reward_deadline_seconds)
        later = [start + round(1000 * seconds) for seconds in waits for start in (over.since_ms, state.asked_ms)]
        return min((moment for moment in later if moment > now_ms), default=now_ms)
    if state.ended_by is not None:  # what was read before it may be slow to be taken: look the less, the longer it is
        return now_ms + (now_ms - state.ended_arrival_ms) // 4
    if state.observed:
        return now_ms
    idle = state.last_arrival_ms + round(1000 * settings.idle_seconds)
    return max(now_ms, min(idle, state.first_arrival_ms + round(1000 * settings.max_age_seconds)))


def _waits(state: TrajectoryState, over: Ending, settings: ProcessorsSettings) -> bool:
    """May others still say something that it could wait for?"""
    if settings.require_review and not is_reviewed(state.curations):
        return True
    if settings.ready == "step":
        return False
    if settings.required_sources:
        said = {reward.source for reward in state.rewards if reward.kind == "outcome"}
        return any(source not in said for source in settings.required_sources)
    return over.reason == "completed" and not values(state.rewards)


def lacks(state: TrajectoryState, settings: ProcessorsSettings) -> tuple[str, str] | None:
    """What it lacks to train, as reason and detail; None when it lacks nothing."""
    found = values(state.rewards)
    missing = [source for source in settings.required_sources if source not in found]
    closed = f"its trajectory closed ({state.closed_by})"
    if missing or not found:
        whose = f" of {', '.join(missing)}" if missing else ""
        whys = [reward.unscored for reward in state.rewards if reward.value is None and reward.unscored]
        why = f": {whys[-1]}" if whys else ""
        return "reward_missing", f"{closed} without a reward{whose}{why}"
    if settings.require_review and not is_reviewed(state.curations):
        return "not_reviewed", f"{closed} and no reviewer had looked at it"
    return None
