"""The output items of OpenAI's Responses, whole and as events.

Invariant: an item's ``output_item.done`` is the item as it stands in the whole response, but for its status where the
answer was cut off.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from clawstream.gateway.chat.chunks import TokenLogprob
from clawstream.gateway.chat.sse import named_event
from clawstream.gateway.dialects.items import carried
from clawstream.gateway.dialects.parts import Change, Part

_PREFIX = {"reasoning": "rs", "text": "msg", "refusal": "msg", "tool": "fc"}
_EVENT = {
    "reasoning": ("response.reasoning_text", "text"),
    "text": ("response.output_text", "text"),
    "refusal": ("response.refusal", "refusal"),
    "tool": ("response.function_call_arguments", "arguments"),
}


class Numbered:
    """Writes events with their numbers."""

    def __init__(self) -> None:
        self._next = 0

    def frame(self, name: str, /, **fields: Any) -> bytes:
        """The next event."""
        numbered = {"type": name, "sequence_number": self._next} | fields
        self._next += 1
        return named_event(name, msgspec.json.encode(numbered))


def item_events(change: Change, response: str, events: Numbered, *, carry: bool) -> Iterator[bytes]:
    """The events of ``change``. ``response``: the bare id of the response."""
    part = change.part
    at = {"item_id": _item_id(part, response), "output_index": part.index}
    if part.kind != "tool":
        at["content_index"] = 0
    name, field = _EVENT[part.kind]
    logprobs = {"logprobs": _entries(change.logprobs)} if part.kind == "text" else {}
    match change.what:
        case "open":
            begun = _shell(part, response) | {"status": "in_progress"}
            yield events.frame("response.output_item.added", output_index=part.index, item=begun)
            if part.kind != "tool":
                yield events.frame("response.content_part.added", **at, part=_content(part))
        case "grow":
            yield events.frame(f"{name}.delta", **at, delta=change.piece, **logprobs)
        case "close":
            if part.kind == "text":
                logprobs = {"logprobs": _entries(part.logprobs)}
            named = {"name": part.tool_name} if part.kind == "tool" else {}
            yield events.frame(f"{name}.done", **at, **{field: part.content}, **logprobs, **named)
            if part.kind != "tool":
                yield events.frame("response.content_part.done", **at, part=_content(part))
            done = item(part, response, carry=carry)
            yield events.frame("response.output_item.done", output_index=part.index, item=done)


def item(part: Part, response: str, *, carry: bool) -> dict[str, Any]:
    """``part`` as an item. ``carry``: give reasoning as opaque content too, for clients that send only that back."""
    shell = _shell(part, response)
    match part.kind:
        case "reasoning":
            opaque = {"encrypted_content": carried(part.content)} if carry else {}
            return shell | {"content": [_content(part)]} | opaque
        case "tool":
            return shell | {"arguments": part.content}
        case "text" | "refusal":
            return shell | {"content": [_content(part)]}


def _item_id(part: Part, response: str) -> str:
    return f"{_PREFIX[part.kind]}_{response}_{part.index}"


def _shell(part: Part, response: str) -> dict[str, Any]:
    """The item before anything is in it."""
    shell: dict[str, Any] = {"id": _item_id(part, response), "status": "completed"}
    match part.kind:
        case "reasoning":
            return shell | {"type": "reasoning", "summary": [], "content": []}
        case "tool":
            call = {"call_id": part.tool_id, "name": part.tool_name, "arguments": ""}
            return shell | {"type": "function_call"} | call
        case "text" | "refusal":
            return shell | {"type": "message", "role": "assistant", "content": []}


def _content(part: Part) -> dict[str, Any]:
    match part.kind:
        case "reasoning":
            return {"type": "reasoning_text", "text": part.content}
        case "refusal":
            return {"type": "refusal", "refusal": part.content}
        case _:
            logprobs = _entries(part.logprobs)
            return {"type": "output_text", "text": part.content, "annotations": [], "logprobs": logprobs}


def _entries(logprobs: Sequence[TokenLogprob]) -> list[Any]:
    entries: list[Any] = msgspec.to_builtins(list(logprobs))
    return entries
