"""What holds for every route: who may call, what errors look like, what is counted.

Invariant: nothing leaves in a shape other than the error of the client's dialect, whatever went wrong, and no traceback
reaches a client.
"""

import hmac
import logging
import time

from aiohttp import web
from aiohttp.typedefs import Handler

from clawstream.gateway.context import GATEWAY
from clawstream.gateway.errors import INVALID, UNAVAILABLE, ApiError, anthropic_error
from clawstream.gateway.metrics import REQUEST_SECONDS, REQUESTS

_OPEN = frozenset({"/healthz", "/health", "/ready", "/metrics"})
_ANTHROPIC_KEY, _ANTHROPIC_VERSION = "x-api-key", "anthropic-version"
_ANTHROPIC_PATHS = ("/messages", "/messages/count_tokens")
_BEARER = "Bearer "
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
        REQUESTS.labels(route, status).inc()
        REQUEST_SECONDS.labels(route).observe(time.perf_counter() - started)


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
    """Ask for the key where one is set: as a bearer token, or as Anthropic's client sends it."""
    key = request.app[GATEWAY].settings.api_key
    if key is not None and request.path not in _OPEN:
        given = request.headers.get("Authorization") or f"Bearer {request.headers.get(_ANTHROPIC_KEY, '')}"
        if not hmac.compare_digest(given.encode(errors="replace"), f"Bearer {key.get_secret_value()}".encode()):
            is_bearer = len(given) > len(_BEARER) and given.startswith(_BEARER)
            said = "invalid api key" if is_bearer else "missing bearer token"  # in OpenClaw-RL's words
            raise ApiError(401, said, kind="authentication_error", code="invalid_api_key")
    return await handler(request)


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
