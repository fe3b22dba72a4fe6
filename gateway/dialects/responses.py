"""OpenAI's Responses.

Invariant: the response that a stream's events add up to is the response that is given whole. Events are numbered from
0 without a gap::

    response.created, response.in_progress                                        with the node's first event
    output_item.added, (content_part.added,) … delta …, … done, output_item.done    for each part, as it comes
    response.completed, or response.incomplete                                    once the step is sealed
"""

from collections import deque
from typing import Any

import msgspec

from clawstream.gateway.chat.answer import Answer
from clawstream.gateway.chat.answers import Answers
from clawstream.gateway.chat.chunks import Chunk
from clawstream.gateway.chat.request import ChatRequest, encoded, read_chat
from clawstream.gateway.dialects.output import Numbered, item, item_events
from clawstream.gateway.dialects.parts import Change, Parts
from clawstream.gateway.dialects.responses_request import ENCRYPTED, chat_body, read_asked
from clawstream.gateway.errors import UPSTREAM, ApiError

_STATUS = {  # of the response, and why it is incomplete
    "stop": ("completed", None),
    "tool_calls": ("completed", None),
    "length": ("incomplete", "max_output_tokens"),
    "content_filter": ("incomplete", "content_filter"),
}


class ResponsesExchange:
    """One response."""

    def __init__(self, body: dict[str, Any]) -> None:
        asked = read_asked(body)
        self.asked: ChatRequest = read_chat(chat_body(body, asked))
        self.session_id: str | None = None
        self._echo = {key: msgspec.Raw(encoded(value)) for key, value in _echo(body).items()}
        self._carry = ENCRYPTED in (asked.include or ())
        self._parts = Parts(keep_logprobs=self.asked.wants.logprobs)
        self._events = Numbered()
        self._id = ""

    def frames(self, _: bytes, chunk: Chunk) -> bytes:
        """The events that the chunk makes."""
        changes = self._parts.add(chunk)
        if self.asked.stream:
            return self._start(chunk) + b"".join(self._tell(change) for change in changes)
        deque(changes, maxlen=0)
        return b""

    def end(self, answers: Answers) -> bytes:
        """The whole response, as the last event."""
        response = self._response(answers.first)
        closing = b"".join(self._tell(change) for change in self._parts.finish())
        return closing + self._events.frame(f"response.{response['status']}", response=response)

    def whole(self, answers: Answers) -> bytes:
        """The response."""
        return msgspec.json.encode(self._response(answers.first))

    def broken(self, error: ApiError) -> bytes:
        """The error, in both places where clients look for it, and no ``response.completed``."""
        said = {"message": error.said, "code": error.code, "param": error.param}
        return self._events.frame("error", **said, error={"type": error.kind} | said)

    def _tell(self, change: Change) -> bytes:
        return b"".join(item_events(change, self._id, self._events, carry=self._carry))

    def _start(self, chunk: Chunk) -> bytes:
        if self._id:
            return b""
        self._id = _bare(chunk.id)
        response = self._shell(chunk.id, chunk.created, chunk.model) | {"status": "in_progress"}
        created = self._events.frame("response.created", response=response)
        return created + self._events.frame("response.in_progress", response=response)

    def _response(self, answer: Answer) -> dict[str, Any]:
        if answer.finish_reason not in _STATUS:
            message = f"the node did not complete the answer: it ended with {answer.finish_reason}"
            raise ApiError(502, message, kind=UPSTREAM, code="node_failed")
        status, reason = _STATUS[answer.finish_reason]
        parts, name = self._parts.all, _bare(answer.id)
        whole = self._shell(answer.id, answer.created, answer.model) | {
            "status": status,
            "incomplete_details": None if reason is None else {"reason": reason},
            "output": [item(part, name, carry=self._carry) for part in parts],
            "usage": _usage(answer.usage or {}),
        }
        if status == "incomplete" and whole["output"]:
            whole["output"][-1]["status"] = status
        return whole

    def _shell(self, chat_id: str, created: int, model: str) -> dict[str, Any]:
        ids = {"id": f"resp_{_bare(chat_id)}", "object": "response", "created_at": created, "model": model}
        return ids | self._echo


def _bare(chat_id: str) -> str:
    return chat_id.removeprefix("chatcmpl-")


def _echo(body: dict[str, Any]) -> dict[str, Any]:
    """What a response repeats of its request, and what is not known yet."""
    given = {key: value for key, value in body.items() if value is not None}
    return {
        "error": None,
        "incomplete_details": None,
        "instructions": given.get("instructions"),
        "max_output_tokens": given.get("max_output_tokens"),
        "metadata": given.get("metadata", {}),
        "output": [],
        "parallel_tool_calls": given.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None} | given.get("reasoning", {}),
        "store": False,
        "temperature": given.get("temperature", 1.0),
        "text": {"format": {"type": "text"}} | given.get("text", {}),
        "tool_choice": given.get("tool_choice", "auto"),
        "tools": given.get("tools", []),
        "top_p": given.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": None,
        "user": given.get("user"),
    }


def _usage(used: dict[str, Any]) -> dict[str, Any]:
    read, written = used.get("prompt_tokens") or 0, used.get("completion_tokens") or 0
    cached = (used.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    reasoning = (used.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": read + written,
    }
