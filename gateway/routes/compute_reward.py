"""Claw-R1's ``/compute_reward``.

Invariant: nothing is recorded; a score becomes a reward once an agent says so. Without a service the answer is 503, as
Claw-R1's is without its worker.
"""

from aiohttp import web

from clawstream.gateway.context import GATEWAY
from clawstream.gateway.errors import UNAVAILABLE, ApiError
from clawstream.gateway.reading import read_object
from clawstream.gateway.upstreams.reward_service import read_scored, told


async def compute_reward(request: web.Request) -> web.Response:
    """Pass on what is to be scored."""
    service = request.app[GATEWAY].reward_service
    body = read_scored(read_object(await request.read()))
    if service is None:
        said = "no reward service is there: set reward_url in [gateway] to one that answers with reward_score"
        raise ApiError(503, said, kind=UNAVAILABLE, code="no_reward_service")
    return web.Response(body=told(await service.score(body), body), content_type="application/json")
