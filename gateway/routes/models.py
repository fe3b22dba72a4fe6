"""``/v1/models``: what live nodes and a provider serve, in one body that OpenAI's and Anthropic's clients both read."""

from typing import Any

from aiohttp import web

from clawstream.gateway.context import GATEWAY, TENANT_KEY
from clawstream.gateway.errors import ApiError
from clawstream.gateway.upstreams.policies import visible
from clawstream.schemas import NodeStatus


async def list_models(request: web.Request) -> web.Response:
    """All of them, by name."""
    data = [_model(status) for _, status in sorted(_served(request).items())]
    names = [model["id"] for model in data]
    first, last = (names[0], names[-1]) if names else (None, None)
    page = {"object": "list", "data": data, "has_more": False, "first_id": first, "last_id": last}
    return web.json_response(page)


async def one_model(request: web.Request) -> web.Response:
    """One. Raises ``ApiError`` 404 when no live node serves it."""
    name, served = request.match_info["model"], _served(request)
    if name not in served:
        raise ApiError(404, f"no live node serves {name!a:.200}", param="model", code="model_not_found")
    return web.json_response(_model(served[name]))


def _served(request: web.Request) -> dict[str, NodeStatus]:
    gateway = request.app[GATEWAY]
    listed = gateway.provider.listed() if gateway.provider is not None else []
    policy = gateway.tenants.entry(request[TENANT_KEY]).policy
    served = visible(policy, gateway.nodes.live(), several=gateway.tenants.are_several)
    return {status.model: status for status in (*served, *listed)}


def _model(status: NodeStatus) -> dict[str, Any]:
    return {
        "id": status.model,
        "object": "model",
        "type": "model",
        "created": int(status.at.timestamp()),
        "created_at": status.at.isoformat(),
        "owned_by": "clawstream",
        "display_name": status.model,
        "lifecycle": "active",
        "max_model_len": status.max_model_len or None,  # a provider does not say
        "max_input_tokens": status.max_model_len or None,
    }
