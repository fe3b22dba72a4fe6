"""A proxy that does nothing but pass a call on and its answer back: the floor of what any gateway of this kind costs.

It records nothing, checks nothing and knows no tenants; aiohttp and the connections are the gateway's own.
"""

import sys

import uvloop
from aiohttp import web

from clawstream.gateway.upstreams.connections import Connections

_SECONDS = 60.0


def make_app(node: str) -> web.Application:
    """The proxy before the node at that URL."""
    connections = Connections(connect_seconds=_SECONDS, silence_seconds=_SECONDS)

    async def passed_on(request: web.Request) -> web.StreamResponse:
        headers, body = {"Content-Type": "application/json"}, await request.read()
        async with connections.asked(node + request.path, body, headers) as answer:
            response = web.StreamResponse(status=answer.status)
            response.content_type = answer.headers["content-type"].partition(";")[0]
            await response.prepare(request)
            while piece := await answer.next():
                await response.write(piece)
        await response.write_eof()
        return response

    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/v1/chat/completions", passed_on)
    return app


def main() -> None:
    """``bare_proxy PORT NODE``."""
    app, port, loop = make_app(sys.argv[2]), int(sys.argv[1]), uvloop.new_event_loop()
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None, loop=loop)


if __name__ == "__main__":
    main()
