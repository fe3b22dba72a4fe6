"""A trajectory that closes: next states, rejections, and the trajectory itself. Pure.

Invariant: each of its steps is either in the trajectory put out, or rejected with a reason.
"""

import json

import msgspec

from clawstream.processors.assembly import TrajectoryState
from clawstream.processors.output import Output, rejection
from clawstream.processors.sequences import Resolved, resolve
from clawstream.schemas import NextState, Step, Trajectory, derived_id
from clawstream.topics import NEXT_STATES, TRAJECTORIES


def close(
    state: TrajectoryState, steps: list[Step], closed_by: str, now_ms: int, max_bytes: int
) -> tuple[TrajectoryState, list[Output]]:
    """Close ``state``, whose steps in log order are ``steps``. One of more than ``max_bytes`` does not train."""
    channel = state.channel or (steps[0].channel if steps else "train")
    steps = [msgspec.structs.replace(step, channel=channel) for step in steps]
    resolved = resolve(steps)
    unusable = _unusable(state, closed_by) or _too_large(state, resolved, max_bytes)
    if unusable:
        resolved = Resolved()
    outputs = [*_next_states(steps)]
    if unusable:
        outputs += [rejection(step, *unusable) for step in steps]
    outputs += [rejection(refusal.step, refusal.reason, refusal.detail) for refusal in resolved.refusals]
    trajectory = Trajectory(
        trajectory_id=state.trajectory_id,
        group_id=state.group_id,
        tenant=state.tenant,
        agent=state.agent,
        channel=channel,
        opened_at=state.first_event_at,
        closed_at=state.last_event_at,
        closed_by=closed_by,
        step_ids=resolved.step_ids,
        sequences=resolved.sequences,
        rewards=list(state.rewards),
        logprobs_mode=steps[0].logprobs_mode if steps else "",
        group_size=state.group_size,
        metadata_json=state.metadata_json,
    )
    outputs.append(Output(TRAJECTORIES, trajectory))
    closed = {"closed_ms": now_ms, "closed_by": closed_by, "put_out": True, "rewards": (), "feedback_ids": ()}
    return msgspec.structs.replace(state, **closed), outputs


def _unusable(state: TrajectoryState, closed_by: str) -> tuple[str, str] | None:
    """Why none of its steps can train: reason and detail."""
    if closed_by == "aborted":
        return "aborted", "its trajectory was aborted"
    if not state.outcome_known:
        return "reward_missing", f"its trajectory closed ({closed_by}) without a reward"
    return None


def _too_large(state: TrajectoryState, resolved: Resolved, max_bytes: int) -> tuple[str, str] | None:
    size = sum(len(sequence.tokens) + len(sequence.logprobs) for sequence in resolved.sequences)
    size += len(state.metadata_json or "")
    if size <= max_bytes:
        return None
    count = len(resolved.sequences)
    return (
        "too_large",
        f"its trajectory has {size} bytes in {count} sequences; processors.max_trajectory_bytes is {max_bytes}",
    )


def _next_states(steps: list[Step]) -> list[Output]:
    """What followed each step: the new messages of the step that continues it."""
    by_id = {step.step_id: step for step in steps}
    outputs = []
    for step in steps:
        followed = by_id.get(step.prompt_prefix.step_id) if step.prompt_prefix else None
        if followed is None or not _any_messages(step):
            continue
        record = NextState(
            next_state_id=derived_id("next-state", step.tenant, followed.step_id, step.step_id),
            trajectory_id=step.trajectory_id,
            step_id=followed.step_id,
            tenant=step.tenant,
            messages_json=step.new_messages_json,
            at=step.received_at,
        )
        outputs.append(Output(NEXT_STATES, record))
    return outputs


def _any_messages(step: Step) -> bool:
    try:
        return bool(json.loads(step.new_messages_json))
    except json.JSONDecodeError:
        return False
