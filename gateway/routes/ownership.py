"""Which tenant a trajectory belongs to: the one that used it first.

Invariant: what another tenant owns is answered 403, as far as this gateway knows the owner (see
``trajectories/seen.py``); where it does not, the two tenants have a trajectory of that name each. Nothing is ever
joined over tenants: memory here is keyed by tenant and trajectory (``scope_of``), and so are the tables of processors.
"""

import asyncio

from clawstream.gateway.context import Gateway
from clawstream.gateway.errors import ApiError


async def is_known(gateway: Gateway, tenant: str, trajectory_id: str) -> bool:
    """Has the trajectory been seen here or in the log? Waits for the end of the log where it has not.

    Raises ``ApiError`` 403 when it is another tenant's.
    """
    if trajectory_id not in gateway.seen:
        logs = [each for each in (gateway.handover, gateway.openings) if each is not None]
        await asyncio.gather(*(each.catch_up(trajectory_id) for each in logs))
    check_owner(gateway, tenant, trajectory_id)
    return trajectory_id in gateway.seen


async def may_use(gateway: Gateway, tenant: str, trajectory_id: str) -> None:
    """Raise ``ApiError`` 403 when the trajectory is another tenant's. Costs nothing where there is one tenant."""
    if gateway.tenants.are_several:
        await is_known(gateway, tenant, trajectory_id)


def check_owner(gateway: Gateway, tenant: str, trajectory_id: str) -> None:
    """Raise ``ApiError`` 403 when the trajectory is known to be another tenant's."""
    owner = gateway.seen.owner(trajectory_id)
    if owner is not None and owner != tenant:
        said = f"trajectory {trajectory_id!a:.80} belongs to another tenant; choose another name"
        raise ApiError(403, said, kind="permission_error", param="trajectory", code="not_yours")
