"""What of a record is kept under which name. Pure.

Invariant: a record that is written twice has one identity, so it is in the index once.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from clawstream.schemas import (
    Feedback,
    NextState,
    NodeStatus,
    Record,
    Rejection,
    Reward,
    Sample,
    Step,
    Trajectory,
    UpdateReport,
    WeightVersion,
    derived_id,
    encode,
)

_MOST_CHARACTERS = 20_000  # of a step, that can be found


class Entry(NamedTuple):
    """The names of a record."""

    record_id: str
    at: datetime
    tenant: str = ""
    trajectory_id: str = ""
    step_id: str = ""


def entry_of(record: Record) -> Entry:
    """The names of ``record``."""
    match record:
        case Step(step_id=step_id, received_at=at):
            return Entry(step_id, at, record.tenant, record.trajectory_id, step_id)
        case Feedback(feedback_id=known, at=at) | Reward(reward_id=known, at=at):
            return Entry(known, at, record.tenant, record.trajectory_id, record.step_id or "")
        case NextState(next_state_id=known, at=at) | Rejection(rejection_id=known, at=at):
            return Entry(known, at, record.tenant, record.trajectory_id, record.step_id)
        case Trajectory(closed_at=at):
            said = [*record.excluded_step_ids, *(reward.reward_id for reward in record.rewards)]
            parts = [record.tenant, record.trajectory_id, *record.step_ids, *(said if record.amends else [])]
            return Entry(derived_id("trajectory", *parts), at, record.tenant, record.trajectory_id)
        case Sample(sample_id=known, ready_at=at):
            return Entry(known, at, record.tenant, record.trajectory_id)
        case _:
            return _control(record)


def kept(record: Record, value: bytes) -> bytes:
    """What is kept of ``record``, which is ``value`` in the log: the sequences of a trajectory are in its sample."""
    return encode(msgspec.structs.replace(record, sequences=[])) if isinstance(record, Trajectory) else value


def text_of(step: Step) -> str:
    """What a step can be found by: its new messages, its answer, reasoning and tool calls."""
    parts = [*_strings(_json(step.new_messages_json)), step.text, step.reasoning or ""]
    parts += _strings(_json(step.tool_calls_json))
    return "\n".join(part for part in parts if part)[:_MOST_CHARACTERS]


def _control(record: Record) -> Entry:
    match record:
        case UpdateReport(update_id=known, at=at):
            return Entry(known, at)
        case WeightVersion(model=model, version=version, created_at=at):
            return Entry(f"{model} {version}", at)
        case NodeStatus(node=node, at=at):
            return Entry(node, at)
        case _:
            raise TypeError(f"{type(record).__name__} is no record of the catalogue")


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError:
        return text


def _strings(value: Any) -> Iterator[str]:
    """The texts in messages, content parts and tool calls; not their field names and types."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key not in ("role", "type", "id", "tool_call_id"):
                yield from _strings(each)
