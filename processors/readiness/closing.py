"""A trajectory that closes: rejections, and the trajectory itself. Pure.

Invariant: each of its steps is either in the trajectory put out, or rejected with a reason.
"""

from msgspec.structs import replace

from clawstream.processors.readiness.amending import amended
from clawstream.processors.readiness.assembly import TrajectoryState
from clawstream.processors.readiness.ending import lacks
from clawstream.processors.readiness.live import left_over
from clawstream.processors.readiness.output import Output, rejection
from clawstream.processors.settings import ProcessorsSettings
from clawstream.schemas import Reward, Step, Trajectory
from clawstream.schemas.reading.curation import excluded
from clawstream.schemas.reading.sequences import Resolved, resolve
from clawstream.topics import TRAJECTORIES


def close(
    state: TrajectoryState,
    steps: list[Step],
    rewards: list[Reward],
    settings: ProcessorsSettings,
) -> tuple[TrajectoryState, list[Output]]:
    """Close ``state`` as was decided; its steps in log order are ``steps``, its whole rewards ``rewards``."""
    channel = state.channel or (steps[0].channel if steps else "train")
    live = settings.ready == "step"
    steps = _curated(state, [replace(step, channel=channel) for step in steps])
    resolved = resolve(steps)
    unusable = None if live else _unusable(state, settings) or _too_large(state, resolved, settings)
    if unusable or live:
        resolved = Resolved()
    outputs = left_over(state, steps) if live else [rejection(step, *unusable) for step in steps if unusable]
    outputs += [rejection(refusal.step, refusal.reason, refusal.detail) for refusal in resolved.refusals]
    trajectory = Trajectory(
        trajectory_id=state.trajectory_id,
        group_id=state.group_id,
        tenant=state.tenant,
        agent=state.agent,
        channel=channel,
        opened_at=state.first_event_at,
        closed_at=state.last_event_at,
        closed_by=state.closed_by or "completed",
        step_ids=resolved.step_ids,
        sequences=resolved.sequences,
        rewards=rewards,
        logprobs_mode=steps[0].logprobs_mode if steps else "",
        group_size=state.group_size,
        metadata_json=state.metadata_json,
    )
    outputs.append(Output(TRAJECTORIES, trajectory))
    closed = replace(
        state,
        put_out=True,
        channel=channel,
        told_ids=tuple(resolved.step_ids),
        amending=(),
        rewards=(),
        feedback_ids=(),
        finished_at=(),
        decided=(),
        sampled=0,
        metadata_json=None,
    )
    for feedback in state.amending:
        closed, amendments = amended(closed, feedback)
        outputs += amendments
    return closed, outputs


def _curated(state: TrajectoryState, steps: list[Step]) -> list[Step]:
    """The steps; those that a reviewer has taken out are not trainable."""
    gone = excluded(state.curations, state.step_ids)
    return [
        replace(step, trainable=False, untrainable_reason=f"curated: {gone[step.step_id]} took it out")
        if step.step_id in gone
        else step
        for step in steps
    ]


def _unusable(state: TrajectoryState, settings: ProcessorsSettings) -> tuple[str, str] | None:
    """Why none of its steps can train: reason and detail."""
    if state.closed_by == "aborted":
        return "aborted", "its trajectory was aborted"
    return lacks(state, settings)


def _too_large(state: TrajectoryState, resolved: Resolved, settings: ProcessorsSettings) -> tuple[str, str] | None:
    max_bytes = settings.max_trajectory_bytes
    size = sum(len(sequence.tokens) + len(sequence.logprobs) for sequence in resolved.sequences)
    size += len(state.metadata_json or "")
    if size <= max_bytes:
        return None
    count = len(resolved.sequences)
    return (
        "too_large",
        f"its trajectory has {size} bytes in {count} sequences; processors.max_trajectory_bytes is {max_bytes}",
    )
