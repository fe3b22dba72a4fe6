"""The routes.

Invariant: no route leads to an endpoint of a node other than chat completions, completions and its tokenizer.
"""

from aiohttp import web

from clawstream.gateway.context import GATEWAY, Gateway
from clawstream.gateway.dialects.chat import ChatExchange
from clawstream.gateway.dialects.completions import CompletionsExchange
from clawstream.gateway.dialects.generate import GenerateExchange
from clawstream.gateway.dialects.messages import MessagesExchange
from clawstream.gateway.dialects.responses import ResponsesExchange
from clawstream.gateway.middleware import authorised, bounded, counted, worded
from clawstream.gateway.routes import lifecycle, models, registry, status
from clawstream.gateway.routes.calls import answering
from clawstream.gateway.routes.compute_reward import compute_reward
from clawstream.gateway.routes.count_tokens import count_tokens
from clawstream.gateway.routes.curation import curate
from clawstream.gateway.routes.identity import tenant
from clawstream.gateway.routes.statements import feedback
from clawstream.gateway.routes.submit import submit_steps

_BASES = (
    "/v1",  # trajectory and group in headers
    "/{trajectory}/{group}/v1",
    "/{trajectory}/{group}",  # as Claw-R1's documents have it
)


def make_app(gateway: Gateway) -> web.Application:
    """The application that serves ``gateway``."""
    app = web.Application(
        middlewares=[counted, worded, authorised, bounded], client_max_size=gateway.settings.max_body_bytes
    )
    app[GATEWAY] = gateway
    routes = [
        web.get("/healthz", status.healthz),
        web.get("/health", status.health),
        web.get("/ready", status.ready),
        web.get("/metrics", status.metrics),
        web.get("/v1/tenant", tenant),
        web.post("/init_trajectory", lifecycle.init_trajectory),
        web.post("/complete_trajectory/{trajectory}", lifecycle.complete_trajectory),
        web.post("/generate", answering(GenerateExchange)),
        web.post("/compute_reward", compute_reward),
        web.post("/submit_steps", submit_steps),
        web.post("/api/curation", curate),
        web.get("/registry/schemas/ids/{id}", registry.schema_by_id),
        web.get("/registry/subjects", registry.list_subjects),
        web.get("/registry/subjects/{subject}/versions", registry.list_versions),
        web.get("/registry/subjects/{subject}/versions/{version}", registry.one_version),
    ]
    for base in _BASES:
        routes += [
            web.post(f"{base}/chat/completions", answering(ChatExchange)),
            web.post(f"{base}/completions", answering(CompletionsExchange)),
            web.post(f"{base}/responses", answering(ResponsesExchange)),
            web.post(f"{base}/messages", answering(MessagesExchange)),
            web.post(f"{base}/messages/count_tokens", count_tokens),
            web.post(f"{base}/generate", answering(GenerateExchange)),
            web.post(f"{base}/register_trajectory", lifecycle.register_trajectory),
            web.post(f"{base}/complete_trajectory", lifecycle.complete_trajectory),
            web.post(f"{base}/feedback", feedback),
            web.get(f"{base}/models", models.list_models),
            web.get(f"{base}/models/{{model}}", models.one_model),
        ]
    app.add_routes(routes)
    return app
