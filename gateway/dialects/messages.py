"""Anthropic's Messages.

Invariant: the message that a stream's events add up to is the message that is given whole::

    message_start, ping, (content_block_start, content_block_delta …, content_block_stop) …   as the node answers
    message_delta, message_stop                                                             once the step is sealed
"""

from collections import deque
from typing import Any

import msgspec
from pydantic_core import from_json

from clawstream.gateway.chat.answer import Answer
from clawstream.gateway.chat.answers import Answers
from clawstream.gateway.chat.chunks import Chunk
from clawstream.gateway.chat.request import ChatRequest, read_chat
from clawstream.gateway.chat.sse import named_event
from clawstream.gateway.dialects.messages_request import chat_body
from clawstream.gateway.dialects.parts import Change, Part, Parts
from clawstream.gateway.errors import UPSTREAM, ApiError, anthropic_error

SIGNATURE = "clawstream"  # of a thinking block; some clients drop one that has none
_START = "content_block_start"
_DELTA = "content_block_delta"
_STOP = "content_block_stop"
_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


class MessagesExchange:
    """One message."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.asked: ChatRequest = read_chat(chat_body(body))
        self.session_id: str | None = None
        self._parts = Parts()
        self._started = False

    def frames(self, _: bytes, chunk: Chunk) -> bytes:
        """The events that the chunk makes."""
        changes = self._parts.add(chunk)
        if self.asked.stream:
            return self._start(chunk) + b"".join(_event(change) for change in changes)
        deque(changes, maxlen=0)
        return b""

    def end(self, answers: Answers) -> bytes:
        """The reason to stop, and the usage."""
        message = self._message(answers.first)
        closing = b"".join(_event(change) for change in self._parts.finish())
        delta = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
        said = _frame("message_delta", delta=delta, usage=message["usage"])
        return closing + said + _frame("message_stop")

    def whole(self, answers: Answers) -> bytes:
        """The message."""
        return msgspec.json.encode(self._message(answers.first))

    def broken(self, error: ApiError) -> bytes:
        """The error, and no ``message_stop``."""
        return named_event("error", anthropic_error(error))

    def _start(self, chunk: Chunk) -> bytes:
        if self._started:
            return b""
        self._started = True
        usage = _usage({"prompt_tokens": len(chunk.prompt_token_ids or ()), "completion_tokens": 0})
        message = _shell(chunk.id, chunk.model) | {"content": [], "usage": usage}
        return _frame("message_start", message=message) + _frame("ping")

    def _message(self, answer: Answer) -> dict[str, Any]:
        stop_reason, stop_sequence = _stopped(answer)
        return _shell(answer.id, answer.model) | {
            "content": [_block(part) for part in self._parts.all],
            "stop_reason": stop_reason,
            "stop_sequence": stop_sequence,
            "usage": _usage(answer.usage or {}),
        }


def _shell(chat_id: str, model: str) -> dict[str, Any]:
    return {
        "id": f"msg_{chat_id.removeprefix('chatcmpl-')}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
    }


def _stopped(answer: Answer) -> tuple[str, str | None]:
    if answer.finish_reason == "stop" and isinstance(answer.stop_reason, str):
        return "stop_sequence", answer.stop_reason
    if answer.finish_reason not in _REASONS:
        message = f"the node did not complete the answer: it ended with {answer.finish_reason}"
        raise ApiError(502, message, kind=UPSTREAM, code="node_failed")
    return _REASONS[answer.finish_reason], None


def _usage(used: dict[str, Any]) -> dict[str, Any]:
    """Anthropic counts tokens read from a cache apart."""
    cached = (used.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return {
        "input_tokens": (used.get("prompt_tokens") or 0) - cached,
        "output_tokens": used.get("completion_tokens") or 0,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
    }


def _event(change: Change) -> bytes:
    part, index = change.part, change.part.index
    match change.what:
        case "open":
            return _frame(_START, index=index, content_block=_opened(part))
        case "grow":
            return _frame(_DELTA, index=index, delta=_grown(part, change.piece))
        case "close":
            signed = {"type": "signature_delta", "signature": SIGNATURE}
            signature = _frame(_DELTA, index=index, delta=signed) if part.kind == "reasoning" else b""
            return signature + _frame(_STOP, index=index)


def _opened(part: Part) -> dict[str, Any]:
    match part.kind:
        case "reasoning":
            return {"type": "thinking", "thinking": "", "signature": ""}
        case "tool":
            return {"type": "tool_use", "id": part.tool_id, "name": part.tool_name, "input": {}}
        case "text" | "refusal":
            return {"type": "text", "text": ""}


def _grown(part: Part, piece: str) -> dict[str, Any]:
    match part.kind:
        case "reasoning":
            return {"type": "thinking_delta", "thinking": piece}
        case "tool":
            return {"type": "input_json_delta", "partial_json": piece}
        case "text" | "refusal":
            return {"type": "text_delta", "text": piece}


def _block(part: Part) -> dict[str, Any]:
    match part.kind:
        case "reasoning":
            return _opened(part) | {"thinking": part.content, "signature": SIGNATURE}
        case "tool":
            return _opened(part) | {"input": _input(part)}
        case "text" | "refusal":
            return _opened(part) | {"text": part.content}


def _input(part: Part) -> dict[str, Any]:
    """The arguments as a value; of ones that were cut off, as far as they go, as Anthropic's client reads them."""
    try:
        arguments = from_json(part.content or "{}", allow_partial=True)
    except ValueError as error:
        arguments = error
    if isinstance(arguments, dict):
        return arguments
    message = f"the arguments of tool call {part.tool_name} are no JSON object: {part.content!a:.200}"
    raise ApiError(502, message, kind=UPSTREAM, code="node_failed")


def _frame(name: str, /, **fields: Any) -> bytes:
    return named_event(name, msgspec.json.encode({"type": name} | fields))
