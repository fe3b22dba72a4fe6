"""The gateway's HTTP server: routes, and what holds for each of them.

Invariant: every answer is either a handler's, or an error in OpenAI's shape; a bad request costs its neighbours nothing.
"""

import hmac
import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from clawstream.gateway import registry, trajectories
from clawstream.gateway.chat import STATE, chat_completions
from clawstream.gateway.errors import ApiError
from clawstream.gateway.metrics import REQUEST_SECONDS, REQUESTS
from clawstream.gateway.state import State

_log = logging.getLogger(__name__)
_OPEN = ("/healthz", "/metrics")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build(state: State) -> web.Application:
    """The application over ``state``."""
    app = web.Application(middlewares=[_counted, _errors, _authorised], client_max_size=state.settings.max_body_bytes)
    app[STATE] = state
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/metrics", _metrics)
    app.router.add_get("/v1/models", _models)
    app.router.add_post("/init_trajectory", trajectories.init_trajectory)
    for prefix in ("", "/{trajectory}/{group}"):
        app.router.add_post(f"{prefix}/v1/chat/completions", chat_completions)
    for name in ("register_trajectory", "complete_trajectory", "feedback"):
        app.router.add_post(f"/{{trajectory}}/{{group}}/v1/{name}", getattr(trajectories, name))
    app.add_routes(registry.routes())
    return app


@web.middleware
async def _counted(http: web.Request, handler: Handler) -> web.StreamResponse:
    started, route = time.perf_counter(), _route(http)
    response = await handler(http)
    REQUESTS.labels(route, response.status).inc()
    REQUEST_SECONDS.labels(route).observe(time.perf_counter() - started)
    return response


@web.middleware
async def _errors(http: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(http)
    except ApiError as error:
        return error.response()
    except web.HTTPRequestEntityTooLarge as error:
        return ApiError(413, f"the body is too large: {error.text}", code="request_too_large").response()
    except web.HTTPException as error:
        return ApiError(error.status, f"{http.method} {http.path}: {error.reason}").response()
    except (ConnectionResetError, web.RequestPayloadError):
        raise  # the client has gone: there is nobody to answer
    except Exception:  # the process edge: one request's fault must not end the others
        _log.exception("%s %s failed", http.method, http.path)
        return ApiError(500, "the gateway failed; its log has the reason").response()


@web.middleware
async def _authorised(http: web.Request, handler: Handler) -> web.StreamResponse:
    key = http.app[STATE].settings.api_key
    if key and http.path not in _OPEN:
        sent = http.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(sent.encode(), key.encode()):
            raise ApiError(401, "the bearer token is missing or wrong", code="invalid_api_key")
    return await handler(http)


async def _healthz(http: web.Request) -> web.Response:
    """200 while calls can be answered, 503 while no node takes any."""
    nodes = http.app[STATE].nodes.live()
    body = {"status": "ok" if nodes else "no rollout node", "nodes": {node.node: node.version for node in nodes}}
    return web.json_response(body, status=200 if nodes else 503)


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _models(http: web.Request) -> web.Response:
    names = sorted({node.model for node in http.app[STATE].nodes.live()})
    data = [{"id": name, "object": "model", "created": 0, "owned_by": "clawstream"} for name in names]
    return web.json_response({"object": "list", "data": data})


def _route(http: web.Request) -> str:
    resource = http.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"
