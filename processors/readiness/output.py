"""What a stage puts out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clawstream.schemas import Record, Rejection, Step, Trajectory, derived_id
from clawstream.topics import REJECTED, Topic


@dataclass(frozen=True)
class Output:
    """A record and the topic that it goes to."""

    topic: Topic[Any]
    record: Record


def rejection(step: Step, reason: str, detail: str) -> Output:
    """``step`` will not train."""
    return _rejection(step, step.step_id, step.finished_at, reason, detail)


def rejections(trajectory: Trajectory, reason: str, detail: str) -> list[Output]:
    """None of the steps of ``trajectory`` will train."""
    return [_rejection(trajectory, step_id, trajectory.closed_at, reason, detail) for step_id in trajectory.step_ids]


def _rejection(of: Step | Trajectory, step_id: str, at: datetime, reason: str, detail: str) -> Output:
    """One id for a step, so a step that is rejected again is a repeat."""
    record = Rejection(
        rejection_id=derived_id("rejection", of.tenant, step_id),
        trajectory_id=of.trajectory_id,
        step_id=step_id,
        group_id=of.group_id,
        tenant=of.tenant,
        channel=of.channel,
        reason=reason,
        detail=detail,
        at=at,
    )
    return Output(REJECTED, record)
