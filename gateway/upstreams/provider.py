"""A provider that speaks OpenAI's dialects and is no rollout node: its calls are recorded, and never train.

Invariant: which model names go there is decided by the name alone, so a call never goes to a provider because nodes are
down; it is sent what the client sent and no field of ours but ``stream`` and ``include_usage``, with the provider's key
and never the client's.
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from pydantic import SecretStr

from clawstream.gateway.chat.request import ChatRequest, encoded
from clawstream.gateway.settings import GatewaySettings
from clawstream.schemas import NodeStatus, now
from clawstream.streams.settings import SettingsError

_HEADER_VALUE = re.compile(r"[!-~]+")
NO_LOGPROBS = "none"  # the log-probability mode of who gives none


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Where it is, and which models it serves."""

    name: str  # its host, as steps name it
    url: str  # ends where /chat/completions begins
    key: SecretStr | None
    models: tuple[str, ...]  # names or patterns: *, ?, [ab]

    def serves(self, model: str | None) -> bool:
        """Do calls for ``model`` go there?"""
        return model is not None and any(fnmatchcase(model, pattern) for pattern in self.models)

    def listed(self) -> list[NodeStatus]:
        """Its models that are named in full."""
        return [self.status(model) for model in self.models if not set(model) & set("*?[")]

    @property
    def headers(self) -> dict[str, str]:
        """Of a call to it."""
        key = {} if self.key is None else {"Authorization": f"Bearer {self.key.get_secret_value()}"}
        return {"Content-Type": "application/json"} | key

    def status(self, model: str) -> NodeStatus:
        """What stands for it where an answer's node is named."""
        return NodeStatus(
            node=self.name,
            url=self.url,
            model=model,
            version=0,
            health="ready",
            logprobs_mode=NO_LOGPROBS,
            max_model_len=0,
            at=now(),
        )


def provider_of(settings: GatewaySettings) -> Provider | None:
    """The provider that is set; ``None`` for none. Raises ``SettingsError`` for one that is set by half."""
    models = tuple(name.strip() for name in settings.upstream_models.split(",") if name.strip())
    if settings.upstream_url is None:
        if models or settings.upstream_key is not None:
            raise SettingsError("[gateway] upstream_models and upstream_key need upstream_url")
        return None
    host = _host(settings.upstream_url)
    if not models:
        raise SettingsError("[gateway] upstream_url needs upstream_models: which model names go there; * for all")
    key = settings.upstream_key
    if key is not None and not _HEADER_VALUE.fullmatch(key.get_secret_value()):
        raise SettingsError("[gateway] upstream_key is no key: it has blanks or other characters that no header takes")
    return Provider(name=host, url=settings.upstream_url.rstrip("/"), key=key, models=models)


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.query:
        raise SettingsError("[gateway] upstream_url must be http(s)://host[:port]/path, like https://api.openai.com/v1")
    return host


def gives_tokens(node: NodeStatus) -> bool:
    """Is ``node`` a rollout node, which says what it sampled?"""
    return node.logprobs_mode != NO_LOGPROBS


def provider_body(asked: ChatRequest) -> bytes:
    """What a provider is sent. Raises ``ApiError`` 400 for a number that JSON cannot carry on."""
    options = (asked.body.get("stream_options") or {}) | {"include_usage": True}
    return encoded(asked.body | {"stream": True, "stream_options": options})
