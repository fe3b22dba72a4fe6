"""The input items of OpenAI's Responses as chat messages.

Invariant: order is kept, and what an assistant said in a row (reasoning, text, function calls) is one message, as the
chat template saw it when it was sampled.
"""

import base64
from typing import Any, Literal

import msgspec

from clawstream.gateway.errors import invalid

ChatMessage = dict[str, Any]

_CARRIED = "clawstream:"  # begins the encrypted_content that this gateway gives: the reasoning, for a client to carry


class InputText(msgspec.Struct, tag="input_text"):
    """Text of a user or a tool."""

    text: str


class InputImage(msgspec.Struct, tag="input_image"):
    """An image, by its address or as a data URL."""

    image_url: str
    detail: str | None = None


class OutputText(msgspec.Struct, tag="output_text"):
    """Text of an assistant."""

    text: str


class Refusal(msgspec.Struct, tag="refusal"):
    """A refusal of an assistant's."""

    refusal: str


Content = InputText | InputImage | OutputText | Refusal


class Message(msgspec.Struct, tag="message"):
    """A message of anybody's."""

    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Content]


class FunctionCall(msgspec.Struct, tag="function_call"):
    """A call that the assistant made."""

    call_id: str
    name: str
    arguments: str


class FunctionOutput(msgspec.Struct, tag="function_call_output"):
    """What the function returned."""

    call_id: str
    output: str | list[InputText | InputImage]


class _ReasoningText(msgspec.Struct):
    text: str


class Reasoning(msgspec.Struct, tag="reasoning"):
    """An assistant's reasoning; a summary is not what was sampled and does not count."""

    content: list[_ReasoningText] | None = None
    encrypted_content: str | None = None


Item = Message | FunctionCall | FunctionOutput | Reasoning


def chat_messages(items: list[Item]) -> list[ChatMessage]:
    """``items`` as chat messages. Raises ``ApiError`` 400 for reasoning that another server encrypted."""
    messages: list[ChatMessage] = []
    turn: ChatMessage | None = None  # of the assistant's, still growing
    for item in items:
        match item:
            case Message(role="assistant") | FunctionCall() | Reasoning():
                if turn is None:
                    turn = {"role": "assistant", "content": None}
                    messages.append(turn)
                _grow(turn, item)
            case Message():
                turn = None
                role = "system" if item.role == "developer" else item.role
                messages.append({"role": role, "content": _content(item.content)})
            case FunctionOutput():
                turn = None
                messages.append({"role": "tool", "tool_call_id": item.call_id, "content": _content(item.output)})
    for message in messages:
        if message["role"] == "assistant" and message["content"] is None and "tool_calls" not in message:
            message["content"] = ""
    return messages


def carried(reasoning: str) -> str:
    """``reasoning`` as opaque text; encoded, not encrypted."""
    return _CARRIED + base64.b64encode(reasoning.encode()).decode()


def _grow(turn: ChatMessage, item: Message | FunctionCall | Reasoning) -> None:
    match item:
        case Message():
            turn["content"] = (turn["content"] or "") + _said(item.content)
        case FunctionCall():
            function = {"name": item.name, "arguments": item.arguments}
            turn.setdefault("tool_calls", []).append({"id": item.call_id, "type": "function", "function": function})
        case Reasoning():
            if reasoning := _thought(item):
                turn["reasoning"] = turn.get("reasoning", "") + reasoning


def _thought(item: Reasoning) -> str:
    if item.content:
        return "".join(part.text for part in item.content)
    sealed = item.encrypted_content
    if not sealed:
        return ""
    try:
        if sealed.startswith(_CARRIED):
            return base64.b64decode(sealed.removeprefix(_CARRIED), validate=True).decode()
    except ValueError:
        pass  # refused below, as what does not begin as ours is
    raise invalid("input: encrypted_content of a reasoning item was not given by this gateway", "input")


def _said(content: str | list[Content]) -> str:
    if isinstance(content, str):
        return content
    if any(isinstance(part, InputImage) for part in content):
        raise invalid("input: an assistant message cannot hold an image", "input")
    return "".join(part.refusal if isinstance(part, Refusal) else part.text for part in content)  # type: ignore[union-attr]


def _content(content: Any) -> str | list[Any]:
    """A single text as a string, which every chat template takes; else parts."""
    if isinstance(content, str):
        return content
    if len(content) == 1 and not isinstance(content[0], InputImage):
        return _said(content)
    return [_part(part) for part in content]


def _part(part: Content) -> dict[str, Any]:
    if isinstance(part, InputImage):
        detail = {} if part.detail is None else {"detail": part.detail}
        return {"type": "image_url", "image_url": {"url": part.image_url} | detail}
    return {"type": "text", "text": _said([part])}
