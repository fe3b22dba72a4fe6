"""Claw-R1's ``POST /submit_steps``: steps that an agent sampled itself.

Invariant: all are checked before any is written. A trajectory's steps are acknowledged one after the other, then their
rewards, then its end; so what is submitted again after an error adds what was missing, and repeats the rest with the
same ids::

    steps of t1   0 ─ 1 ─ 2 ─ reward of 1 ─ completed, with the reward of 2
    steps of t2   0 ─ completed                                                 at the same time
"""

import asyncio
from functools import partial

from aiohttp import web

from clawstream.gateway.callers.identity import checked, scope_of
from clawstream.gateway.calls.submitted import SubmittedStep, answer_of, by_trajectory, call_of, node_of, read_steps
from clawstream.gateway.context import GATEWAY, TENANT_KEY, Gateway
from clawstream.gateway.errors import unavailable
from clawstream.gateway.log.feedback import group_size, say
from clawstream.gateway.log.ledger import NOT_RECORDED
from clawstream.gateway.reading import read_object
from clawstream.gateway.routes.ownership import check_owner, may_use
from clawstream.gateway.trajectories.memory import TRAIN
from clawstream.gateway.upstreams.routing import serving


async def submit_steps(request: web.Request) -> web.Response:
    """Record steps. Answered once all of them are in the log."""
    gateway, tenant = request.app[GATEWAY], request[TENANT_KEY]
    channel = checked(request.query.get("channel", TRAIN), "channel")
    steps = read_steps(read_object(await request.read()), tenant)
    gateway.ledger.check()
    with gateway.place(tenant):
        trajectories = by_trajectory(steps)
        sizes = {name: group_size(each[0].metadata or {}) for name, each in trajectories.items()}
        await asyncio.gather(*(may_use(gateway, tenant, each) for each in trajectories))
        for trajectory_id, each in trajectories.items():
            check_owner(gateway, tenant, trajectory_id)
            gateway.admit(tenant, trajectory_id, each[0].prompt_uid, channel)
        await asyncio.gather(
            *(_submit(gateway, tenant, channel, each, sizes[name]) for name, each in trajectories.items())
        )
    return web.json_response({"accepted": len(steps)})


async def _submit(gateway: Gateway, tenant: str, channel: str, steps: list[SubmittedStep], size: int | None) -> None:
    """Record steps of one trajectory."""
    first = steps[0]
    trajectory_id, group_id = first.trajectory_uid, first.prompt_uid
    tell = partial(say, gateway.ledger, tenant)
    if (metadata := first.metadata) is not None:
        await tell("opened", trajectory_id, group_id, channel=channel, group_size=size, detail=metadata)
    if gateway.handover is not None:
        gateway.handover.learn(scope_of(tenant, trajectory_id))
    served = serving(gateway.nodes.live(), gateway.tenants.entry(tenant).policy)
    for step in steps:
        node = node_of(step, served[0].model if served else "")
        if not await gateway.sealer.seal(call_of(step, channel, tenant), answer_of(step), node):
            raise unavailable(f"step {step.step_id} is not in Kafka; submit the steps again", NOT_RECORDED)
    for step in steps:
        if step.reward is not None and not step.is_last:
            key = step.step_id
            await tell("rewarded", trajectory_id, group_id, step_id=key, reward=step.reward, idempotency_key=key)
    for step in steps:
        if step.is_last:
            await tell("completed", trajectory_id, group_id, reward=step.reward)
            gateway.prefixes.forget(scope_of(tenant, trajectory_id))
