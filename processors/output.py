"""What a stage puts out."""

from dataclasses import dataclass
from typing import Any

from clawstream.schemas import Record, Rejection, Step, derived_id
from clawstream.topics import REJECTED, Topic


@dataclass(frozen=True)
class Output:
    """A record and the topic that it goes to."""

    topic: Topic[Any]
    record: Record


def rejection(step: Step, reason: str, detail: str) -> Output:
    """``step`` will not train. One id for a step, so a step that is rejected again is a repeat."""
    record = Rejection(
        rejection_id=derived_id("rejection", step.step_id),
        trajectory_id=step.trajectory_id,
        step_id=step.step_id,
        group_id=step.group_id,
        tenant=step.tenant,
        channel=step.channel,
        reason=reason,
        detail=detail,
        at=step.finished_at,
    )
    return Output(REJECTED, record)
