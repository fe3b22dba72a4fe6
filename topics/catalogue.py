"""Every topic of ClawStream.

Invariant: one writer each; what must be joined (steps with feedback, trajectories with samples) has the same key and,
being ``scaled`` alike, the same partition. Under another prefix the same topics are another pipeline's; those that a
replay derives from history have that replay as their one writer.
"""

from typing import Any

from clawstream.schemas import (
    Feedback,
    NextState,
    NodeStatus,
    Rejection,
    Reward,
    Sample,
    Step,
    Trajectory,
    UpdateReport,
    WeightVersion,
)
from clawstream.topics.topic import DAY_MS, FOR_EVER_MS, Topic

STEPS = Topic(
    name="steps",
    record=Step,
    key=lambda step: step.trajectory_id,
    writer="gateway",
    retention_ms=30 * DAY_MS,
    scaled=True,
)
FEEDBACK = Topic(
    name="feedback",
    record=Feedback,
    key=lambda feedback: feedback.trajectory_id,
    writer="gateway",
    retention_ms=30 * DAY_MS,
    scaled=True,
)
NEXT_STATES = Topic(
    name="next-states",
    record=NextState,
    key=lambda next_state: next_state.trajectory_id,
    writer="processors",
    retention_ms=30 * DAY_MS,
    scaled=True,
)
REWARDS = Topic(
    name="rewards",
    record=Reward,
    key=lambda reward: reward.trajectory_id,
    writer="processors",
    retention_ms=FOR_EVER_MS,  # a judge's raw votes cannot be had again
    scaled=True,
)
TRAJECTORIES = Topic(
    name="trajectories",
    record=Trajectory,
    key=lambda trajectory: trajectory.group_id,
    writer="processors",
    retention_ms=30 * DAY_MS,
    scaled=True,
)
SAMPLES = Topic(
    name="samples",
    record=Sample,
    key=lambda sample: sample.group_id,
    writer="processors",
    retention_ms=30 * DAY_MS,
    scaled=True,
)
REJECTED = Topic(
    name="rejected",
    record=Rejection,
    key=lambda rejection: rejection.trajectory_id,
    writer="processors",
    retention_ms=30 * DAY_MS,
    scaled=True,
)
WEIGHTS = Topic(
    name="weights",
    record=WeightVersion,
    key=lambda weights: weights.model,
    writer="trainer",
    retention_ms=None,
    scaled=False,
)
NODES = Topic(
    name="nodes",
    record=NodeStatus,
    key=lambda status: status.node,
    writer="rollout",
    retention_ms=None,
    scaled=False,
)
UPDATES = Topic(
    name="updates",
    record=UpdateReport,
    key=lambda report: report.model,
    writer="trainer",
    retention_ms=365 * DAY_MS,
    scaled=False,
)

CATALOGUE: tuple[Topic[Any], ...] = (
    STEPS,
    FEEDBACK,
    NEXT_STATES,
    REWARDS,
    TRAJECTORIES,
    SAMPLES,
    REJECTED,
    WEIGHTS,
    NODES,
    UPDATES,
)
