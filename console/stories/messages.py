"""Messages as people read them. Pure.

Invariant: nothing that a model or a user wrote is interpreted: texts stay texts; what is no text is named, not shown.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from clawstream.schemas import Step
from clawstream.schemas.blobs import read_reference


@dataclass(frozen=True, kw_only=True)
class Call:
    """A tool call."""

    name: str
    arguments: str


@dataclass(frozen=True, kw_only=True)
class Said:
    """One message."""

    role: str
    text: str
    reasoning: str = ""
    calls: list[Call] = field(default_factory=list)


def asked(step: Step) -> list[Said]:
    """The messages that were new in the step's prompt."""
    return messages(step.new_messages_json)


def messages(text: str) -> list[Said]:
    """A JSON array of messages; what is none of them is shown as it is."""
    found = _json(text)
    return [_said(message) for message in found] if isinstance(found, list) else [Said(role="?", text=text)]


def answer(step: Step) -> Said:
    """What was sampled."""
    return Said(
        role="assistant",
        text=step.text,
        reasoning=step.reasoning or "",
        calls=list(_calls(_json(step.tool_calls_json))),
    )


def _said(message: Any) -> Said:
    if not isinstance(message, dict):
        return Said(role="?", text=_shown(message))
    reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
    return Said(
        role=str(message.get("role", "?")),
        text=_content(message.get("content")),
        reasoning=reasoning if isinstance(reasoning, str) else _shown(reasoning),
        calls=list(_calls(message.get("tool_calls"))),
    )


def _content(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(_part(part) for part in content)
    return "" if content is None else content if isinstance(content, str) else _shown(content)


def _part(part: Any) -> str:
    if isinstance(part, dict) and isinstance(text := part.get("text"), str):
        return text
    for value in _strings(part):
        if (reference := read_reference(value)) is not None:
            return f"[{reference.media_type}, {reference.size_bytes} bytes, {reference.sha256[:12]}…]"
    return _shown(part)[:500]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)


def _calls(calls: Any) -> Iterator[Call]:
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        function = function if isinstance(function, dict) else {}
        arguments = function.get("arguments", "")
        shown = arguments if isinstance(arguments, str) else _shown(arguments)
        yield Call(name=str(function.get("name", "?")), arguments=shown)


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError:
        return text


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
