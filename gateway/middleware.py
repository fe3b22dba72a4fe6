"""What holds for every route: who may call, what errors look like, what is counted.

Invariant: nothing leaves in a shape other than the error of the client's dialect, whatever went wrong, and no traceback
reaches a client.
"""

import logging
import time

from aiohttp import web
from aiohttp.typedefs import Handler

from clawstream.gateway.callers.bodies import said_bytes
from clawstream.gateway.context import GATEWAY, TENANT_KEY
from clawstream.gateway.errors import INVALID, UNAVAILABLE, ApiError, anthropic_error
from clawstream.gateway.metrics import request_seconds, requests

_OPEN = frozenset({"/healthz", "/health", "/ready", "/metrics"})
_ANTHROPIC_VERSION = "anthropic-version"
_ANTHROPIC_PATHS = ("/messages", "/messages/count_tokens")
_CLIENT_GONE = "499"  # as nginx counts it

_log = logging.getLogger(__name__)


@web.middleware
async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the request by route and status, and time it."""
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "(none)"
    started, status = time.perf_counter(), _CLIENT_GONE
    try:
        response = await handler(request)
        status = str(response.status)
        return response
    finally:
        requests(route, status).inc()
        request_seconds(route).observe(time.perf_counter() - started)


@web.middleware
async def worded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Put every error into the client's dialect."""
    try:
        return await handler(request)
    except ApiError as error:
        return _answer(request, error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _answer(request, ApiError(error.status, _sentence(request, error), kind=INVALID, code="http_error"))
    except Exception:  # the process edge: one call's defect is logged and must not show its inside
        _log.exception("%s %s failed", request.method, request.path)
        return _answer(
            request, ApiError(500, "the gateway failed; its log says why", kind=UNAVAILABLE, code="internal_error")
        )


@web.middleware
async def authorised(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Ask for a key where there are keys: as a bearer token, or as Anthropic's client sends it."""
    if request.path not in _OPEN:
        gateway = request.app[GATEWAY]
        request[TENANT_KEY] = tenant = gateway.tenants.of(request.headers)
        gateway.quotas.request(tenant)
    return await handler(request)


@web.middleware
async def bounded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Read the body of a request that leads somewhere, once there is room for it."""
    if not request.body_exists or request.match_info.http_exception is not None:
        return await handler(request)
    bodies, size, most = request.app[GATEWAY].bodies, said_bytes(request), request.client_max_size
    if size is not None and size > most:
        raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=size)
    held = bodies.hold(size)
    try:
        await bodies.read(request)
        return await handler(request)
    finally:
        bodies.free(held)


def _sentence(request: web.Request, error: web.HTTPException) -> str:
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        limit = request.app[GATEWAY].settings.max_body_bytes
        return f"the body is larger than {limit} bytes, the most that this gateway reads"
    if isinstance(error, web.HTTPNotFound):
        return f"there is nothing at {request.path}; a base_url ends in /v1"
    return f"{request.method} {request.path}: {error.reason}"


def _answer(request: web.Request, error: ApiError) -> web.Response:
    speaks_anthropic = _ANTHROPIC_VERSION in request.headers or request.path.endswith(_ANTHROPIC_PATHS)
    body = anthropic_error(error) if speaks_anthropic else error.body
    return web.Response(status=error.status, body=body, headers=error.headers)
