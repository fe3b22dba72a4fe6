"""Claw-R1's routes around a trajectory: it is opened, and it ends.

Invariant: each is answered once its feedback is in the log. A completion never changes the channel, and says so when
its trajectory is not known (see ``trajectories/seen.py``).
"""

from typing import Any

import msgspec
from aiohttp import web

from clawstream.gateway.callers.identity import checked, named_trajectory, scope_of
from clawstream.gateway.context import GATEWAY, TENANT_KEY
from clawstream.gateway.errors import invalid
from clawstream.gateway.log.feedback import finite, group_size, say
from clawstream.gateway.reading import read_object, shaped
from clawstream.gateway.routes.ownership import is_known, may_use
from clawstream.gateway.trajectories.memory import TRAIN
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


async def init_trajectory(request: web.Request) -> web.Response:
    """A new trajectory in a group of its own, and the base URL for its agent."""
    trajectory_id, group_id = new_id(), new_id()
    gateway, tenant = request.app[GATEWAY], request[TENANT_KEY]
    gateway.admit(tenant, trajectory_id, group_id)
    await say(gateway.ledger, tenant, "opened", trajectory_id, group_id)
    base_url = f"{request.scheme}://{request.host}/{trajectory_id}/{group_id}/v1"
    return web.json_response({"trajectory_uid": trajectory_id, "base_url": base_url})


async def register_trajectory(request: web.Request) -> web.Response:
    """Open a trajectory in a channel, with metadata for processors."""
    gateway, tenant, (trajectory_id, group_id) = request.app[GATEWAY], request[TENANT_KEY], _trajectory(request)
    body = shaped(read_object(await request.read()), Registration)
    channel, size = checked(body.channel, "channel"), group_size(body.metadata or {})
    await may_use(gateway, tenant, trajectory_id)
    gateway.admit(tenant, trajectory_id, group_id, channel)
    await say(
        gateway.ledger,
        tenant,
        "opened",
        trajectory_id,
        group_id,
        channel=channel,
        group_size=size,
        detail=body.metadata,
    )
    return web.json_response({"status": "ok"})


async def complete_trajectory(request: web.Request) -> web.Response:
    """End a trajectory, with its outcome reward where there is one."""
    gateway, tenant, (trajectory_id, group_id) = request.app[GATEWAY], request[TENANT_KEY], _trajectory(request)
    body = shaped(read_object(await request.read()), Completion)
    reward = body.final_reward if body.reward is None else body.reward
    known = await is_known(gateway, tenant, trajectory_id)
    await say(gateway.ledger, tenant, "completed", trajectory_id, group_id, reward=finite(reward))
    gateway.prefixes.forget(scope_of(tenant, trajectory_id))
    return web.json_response({"status": "ok"} if known else {"status": "ok", "matched": False})


def _trajectory(request: web.Request) -> tuple[str, str]:
    named = named_trajectory(request.match_info, request.headers)
    if named is None:
        raise invalid("which trajectory? name it in the path, or in the header X-ClawStream-Trajectory", "trajectory")
    return named
