"""Feedback as it is recorded.

Invariant: the same statement made again has the same id, so a client may retry: an opening or a completion is one by
its content, a reward or an observation by the client's ``Idempotency-Key``.
"""

import math
from typing import Any

import msgspec

from clawstream.gateway.callers.identity import scope_of
from clawstream.gateway.errors import invalid
from clawstream.gateway.log.ledger import Ledger
from clawstream.schemas import Feedback, FeedbackKind, derived_id, new_id, now
from clawstream.topics import FEEDBACK

_LIFECYCLE = frozenset({"opened", "completed"})


async def say(
    ledger: Ledger,
    tenant: str,
    kind: FeedbackKind,
    trajectory_id: str,
    group_id: str,
    *,
    channel: str | None = None,
    step_id: str | None = None,
    reward: float | None = None,
    group_size: int | None = None,
    detail: dict[str, Any] | None = None,
    source: str = "agent",
    idempotency_key: str | None = None,
) -> str:
    """Record a statement; its id, once Kafka has it. Raises ``ApiError`` 503 when it has not."""
    detail_json = msgspec.json.encode(detail).decode() if detail is not None else None
    feedback = Feedback(
        feedback_id=_id(
            kind, scope_of(tenant, trajectory_id), [channel, step_id, reward, group_size, detail_json], idempotency_key
        ),
        trajectory_id=trajectory_id,
        group_id=group_id,
        tenant=tenant,
        channel=channel,
        kind=kind,
        source=source,
        at=now(),
        step_id=step_id,
        reward=reward,
        group_size=group_size,
        detail_json=detail_json,
    )
    ledger.check()
    await ledger.write(FEEDBACK, feedback)
    return feedback.feedback_id


def finite(reward: float | None, param: str = "reward") -> float | None:
    """``reward`` when it is a number. Raises ``ApiError`` 400 naming ``param``."""
    if reward is not None and not math.isfinite(reward):
        raise invalid(f"{param}: {reward} is not finite", param)
    return reward


def group_size(metadata: dict[str, Any]) -> int | None:
    """How many rollouts the group waits for, where ``metadata`` says so. Raises ``ApiError`` 400 for no count."""
    size = metadata.get("group_size")
    if size is not None and (type(size) is not int or not 0 < size < 2**31):
        raise invalid(f"metadata.group_size: {size!r:.50} is no count from 1", "metadata.group_size")
    return size


def _id(kind: FeedbackKind, scope: str, content: list[Any], idempotency_key: str | None) -> str:
    if idempotency_key is not None:
        return derived_id("feedback", kind, scope, "key", idempotency_key)
    if kind in _LIFECYCLE:
        return derived_id("feedback", kind, scope, "content", repr(content))
    return new_id()
