"""Claw-R1's routes around a trajectory, and one of our own for rewards, observations and aborts.

Invariant: each is answered once its feedback is in the log. A completion never changes the channel.
"""

import math
import time
from typing import Any, Literal

import msgspec
from aiohttp import web

from clawstream.gateway.context import GATEWAY
from clawstream.gateway.errors import invalid
from clawstream.gateway.feedback import say
from clawstream.gateway.identity import checked, named_trajectory
from clawstream.gateway.reading import read_object, shaped
from clawstream.gateway.trajectories import TRAIN
from clawstream.schemas import new_id


class Registration(msgspec.Struct):
    """Body of ``register_trajectory``."""

    channel: str = TRAIN
    metadata: dict[str, Any] | None = None


class Completion(msgspec.Struct):
    """Body of ``complete_trajectory``; ``channel`` is Claw-R1's and does nothing here."""

    reward: float | None = None
    final_reward: float | None = None  # the name that Claw-R1's documents have
    channel: str | None = None


class Statement(msgspec.Struct):
    """Body of ``feedback``."""

    kind: Literal["rewarded", "observed", "aborted"]
    step_id: str | None = None
    reward: float | None = None
    detail: dict[str, Any] | None = None
    source: str = "agent"


async def init_trajectory(request: web.Request) -> web.Response:
    """A new trajectory in a group of its own, and the base URL for its agent."""
    trajectory_id, group_id = new_id(), new_id()
    request.app[GATEWAY].trajectories.admit(trajectory_id, None, time.monotonic())
    base_url = f"{request.scheme}://{request.host}/{trajectory_id}/{group_id}/v1"
    return web.json_response({"trajectory_uid": trajectory_id, "base_url": base_url})


async def register_trajectory(request: web.Request) -> web.Response:
    """Open a trajectory in a channel, with metadata for processors."""
    gateway, (trajectory_id, group_id) = request.app[GATEWAY], _trajectory(request)
    body = shaped(read_object(await request.read()), Registration)
    channel = checked(body.channel, "channel")
    size = (body.metadata or {}).get("group_size")
    gateway.trajectories.admit(trajectory_id, channel, time.monotonic())
    await say(
        gateway,
        "opened",
        trajectory_id,
        group_id,
        channel=channel,
        group_size=size if type(size) is int and 0 < size < 2**31 else None,
        detail=body.metadata,
    )
    return web.json_response({"status": "ok"})


async def complete_trajectory(request: web.Request) -> web.Response:
    """End a trajectory, with its outcome reward where there is one."""
    gateway, (trajectory_id, group_id) = request.app[GATEWAY], _trajectory(request)
    body = shaped(read_object(await request.read()), Completion)
    reward = body.final_reward if body.reward is None else body.reward
    await say(gateway, "completed", trajectory_id, group_id, reward=_finite(reward))
    gateway.prefixes.forget(trajectory_id)
    return web.json_response({"status": "ok"})


async def feedback(request: web.Request) -> web.Response:
    """Record a reward, an observation or an abort."""
    gateway, (trajectory_id, group_id) = request.app[GATEWAY], _trajectory(request)
    body = shaped(read_object(await request.read()), Statement)
    if body.kind == "rewarded" and body.reward is None:
        raise invalid("reward: a rewarded statement needs one; a missing reward is not zero", "reward")
    if body.kind == "observed" and body.detail is None:
        raise invalid("detail: an observed statement needs one", "detail")
    key = request.headers.get("Idempotency-Key")
    feedback_id = await say(
        gateway,
        body.kind,
        trajectory_id,
        group_id,
        step_id=None if body.step_id is None else checked(body.step_id, "step_id"),
        reward=_finite(body.reward),
        detail=body.detail,
        source=checked(body.source, "source"),
        idempotency_key=checked(key, "Idempotency-Key") if key else None,
    )
    if body.kind == "aborted":
        gateway.trajectories.abort(trajectory_id)
    return web.json_response({"status": "ok", "feedback_id": feedback_id})


def _trajectory(request: web.Request) -> tuple[str, str]:
    named = named_trajectory(request.match_info, request.headers)
    if named is None:
        raise invalid("which trajectory? name it in the path, or in the header X-ClawStream-Trajectory", "trajectory")
    return named


def _finite(reward: float | None) -> float | None:
    if reward is not None and not math.isfinite(reward):
        raise invalid(f"reward: {reward} is not finite", "reward")
    return reward
