"""``GET /v1/tenant``: whose key the caller has, for other programs that ask people for the gateway's keys."""

from aiohttp import web

from clawstream.gateway.context import TENANT_KEY


async def tenant(request: web.Request) -> web.Response:
    """The caller's tenant."""
    return web.json_response({"tenant": request[TENANT_KEY]})
