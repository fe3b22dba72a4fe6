"""What people and agents state of a trajectory's worth: rewards, and hints. Pure.

Invariant: the same statement gives the same reward. A hint is no score: its value is missing, never zero.
"""

from clawstream.processors.joins.combining import is_number
from clawstream.schemas import Feedback, Reward, derived_id
from clawstream.schemas.reading.fields import json_object


def reward_in(feedback: Feedback) -> Reward | None:
    """The reward in ``feedback``, or the hint that a reviewer gives to a step; what is neither is none."""
    if feedback.kind == "curated":
        hint = _hint(feedback)
        return None if hint is None else _reward(feedback, None, hint, "a hint alone")
    if feedback.kind not in ("rewarded", "completed") or not is_number(feedback.reward):
        return None
    return _reward(feedback, feedback.reward, None, None)


def _reward(feedback: Feedback, value: float | None, hint: str | None, unscored: str | None) -> Reward:
    return Reward(
        reward_id=derived_id("reward", feedback.feedback_id),
        trajectory_id=feedback.trajectory_id,
        step_id=feedback.step_id,
        tenant=feedback.tenant,
        value=value,
        source=feedback.source,
        kind="outcome" if feedback.step_id is None else "process",
        at=feedback.at,
        hint=hint,
        unscored=unscored,
    )


def _hint(feedback: Feedback) -> str | None:
    if feedback.step_id is None:
        return None
    hint = json_object(feedback.detail_json).get("hint")
    return hint.strip() or None if isinstance(hint, str) else None
