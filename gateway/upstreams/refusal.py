"""What a node, a provider or a reward service answers other than 200, as the client is told it.

Invariant: its status is kept, and so is its body where that has OpenAI's shape.
"""

from typing import Any

import msgspec

from clawstream.gateway.errors import UPSTREAM, ApiError
from clawstream.gateway.upstreams.http_answer import HttpAnswer

_MAX_BYTES = 1024 * 1024


async def refusal(answer: HttpAnswer) -> ApiError:
    """The error that ``answer`` is."""
    data = await answer.read(_MAX_BYTES)
    if answer.status == 400 and (message := _too_long(data)) is not None:
        return ApiError(400, message, param="messages", code="context_length_exceeded")
    after = answer.headers.get("retry-after", "")
    return ApiError(
        answer.status if answer.status >= 400 else 502,
        data.decode(errors="replace")[:2000] or f"the node answered {answer.status}",
        kind=UPSTREAM,
        raw=data if _openai_error(data) is not None else None,
        retry_after_seconds=int(after) if after.isascii() and after.isdigit() else None,
    )


def _too_long(data: bytes) -> str | None:
    """The node's message where it says that prompt and answer do not fit."""
    message = (_openai_error(data) or {}).get("message")
    return message if isinstance(message, str) and "maximum context length" in message else None


def _openai_error(data: bytes) -> dict[str, Any] | None:
    try:
        body = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else None
