"""A chat request: what the client asked, and what the node is asked. Pure.

Invariant: every parameter of the client passes through unchanged; what is added for capture is removed from the answer
again, unless the client asked for it too.
"""

import json
from dataclasses import dataclass
from typing import Any

import msgspec

from clawstream.gateway.errors import ApiError

_CAPTURE = ("stream", "stream_options", "logprobs", "top_logprobs", "return_token_ids", "n", "model")
_NOT_SAMPLING = ("messages", "tools", "stream", "stream_options", "model", "user", "metadata")


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """A parsed request body."""

    body: dict[str, Any]
    messages: list[dict[str, Any]]
    stream: bool
    wants_usage: bool  # a last chunk with usage; a whole answer always has it
    wants_logprobs: bool
    wants_token_ids: bool

    @property
    def temperature(self) -> float:
        """Sampling temperature; the API's default is 1."""
        value = self.body.get("temperature")
        return 1.0 if value is None else float(value)

    @property
    def tools_json(self) -> str | None:
        """The tools as JSON, or None."""
        tools = self.body.get("tools")
        return json.dumps(tools, ensure_ascii=False) if tools else None

    @property
    def sampling_json(self) -> str:
        """The parameters that shape sampling, as JSON."""
        return json.dumps({key: value for key, value in self.body.items() if key not in _NOT_SAMPLING})

    def upstream(self, model: str) -> dict[str, Any]:
        """The body for the node: streamed, with ids and log-probabilities."""
        kept = {key: value for key, value in self.body.items() if key not in _CAPTURE}
        return {
            **kept,
            "model": model,
            "stream": True,
            "stream_options": {"include_usage": True},
            "logprobs": True,
            "top_logprobs": self.body.get("top_logprobs") or 0,
            "return_token_ids": True,
        }


def parse(raw: bytes) -> ChatRequest:
    """Read a request body. Raises ``ApiError`` (400) that names the field."""
    body = parse_object(raw)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ApiError(400, "messages must be a list of at least one message", param="messages")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise ApiError(400, f"messages[{index}] must be an object with a role", param=f"messages[{index}]")
    if body.get("n") not in (None, 1):
        raise ApiError(400, f"n is {body['n']}: one answer a call is recorded, make {body['n']} calls", param="n")
    temperature = body.get("temperature")
    if temperature is not None and (isinstance(temperature, bool) or not isinstance(temperature, int | float)):
        raise ApiError(400, f"temperature is {temperature!r}, it must be a number", param="temperature")
    options = body.get("stream_options") or {}
    return ChatRequest(
        body=body,
        messages=messages,
        stream=bool(body.get("stream")),
        wants_usage=isinstance(options, dict) and bool(options.get("include_usage")),
        wants_logprobs=bool(body.get("logprobs")),
        wants_token_ids=bool(body.get("return_token_ids")),
    )


def parse_object(raw: bytes) -> dict[str, Any]:
    """A JSON object; nothing at all is an empty one. Raises ``ApiError`` (400)."""
    if not raw.strip():
        return {}
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ApiError(400, "the body must be a JSON object")
    return body
