"""What is counted of the agents' calls."""

from aiohttp import web
from aiohttp.test_utils import TestServer

from clawstream.demo.rollouts import Tally, counting_client


async def test_each_attempt_counts_also_those_that_the_client_repeats() -> None:
    statuses = [503, 200]
    answer = {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": []}

    async def complete(_: web.Request) -> web.Response:
        return web.json_response(answer, status=statuses.pop(0), headers={"Retry-After-Ms": "1"})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    tally = Tally()
    async with TestServer(app) as server, counting_client(str(server.make_url("/v1")), tally) as client:
        await client.chat.completions.create(model="m", messages=[])
    assert (tally.calls_asked, tally.calls) == (2, 1)
