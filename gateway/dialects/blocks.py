"""Anthropic's messages and their content blocks as chat messages.

Invariant: order is kept, and an assistant's turn is one message, as the chat template saw it when it was sampled.
"""

from typing import Any, Literal

import msgspec

from clawstream.gateway.errors import ApiError, invalid

ChatMessage = dict[str, Any]

_BILLING = "x-anthropic-billing-header"  # of Claude Code: other with each call, no part of the conversation


class Text(msgspec.Struct, tag="text"):
    """Text."""

    text: str


class _Base64(msgspec.Struct, tag="base64"):
    media_type: str
    data: str


class _Url(msgspec.Struct, tag="url"):
    url: str


class Image(msgspec.Struct, tag="image"):
    """An image, by its bytes or its address."""

    source: _Base64 | _Url


class Thinking(msgspec.Struct, tag="thinking"):
    """An assistant's reasoning; its signature is not looked at."""

    thinking: str


class ToolUse(msgspec.Struct, tag="tool_use"):
    """A tool call."""

    id: str
    name: str
    input: dict[str, Any]


class ToolResult(msgspec.Struct, tag="tool_result"):
    """What a tool said."""

    tool_use_id: str
    content: str | list[Text | Image] = ""


Block = Text | Image | Thinking | ToolUse | ToolResult


class Message(msgspec.Struct):
    """One turn."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


def chat_messages(messages: list[Message]) -> list[ChatMessage]:
    """``messages`` as chat messages."""
    return [chat for message in messages for chat in _chat(message)]


def system_content(system: str | list[Text] | None) -> str | list[Any]:
    """The system prompt; empty for none."""
    if system is None or isinstance(system, str):
        return system or ""
    return _content([block for block in system if not block.text.startswith(_BILLING)])


def _chat(message: Message) -> list[ChatMessage]:
    if isinstance(message.content, str):
        return [{"role": message.role, "content": message.content}]
    if message.role == "assistant":
        return [_assistant(message.content)]
    return _turns(message.role, message.content)


def _turns(role: str, blocks: list[Block]) -> list[ChatMessage]:
    """Tool results are messages of their own; what stands between them is the user's."""
    turns: list[ChatMessage] = []
    said: list[Text | Image] = []

    def flush() -> None:
        if said:
            turns.append({"role": role, "content": _content(said)})
            said.clear()

    for block in blocks:
        match block:
            case ToolResult():
                flush()
                content = block.content if isinstance(block.content, str) else _content(block.content)
                turns.append({"role": "tool", "tool_call_id": block.tool_use_id, "content": content})
            case Text() | Image():
                said.append(block)
            case Thinking() | ToolUse():
                raise _misplaced(block, role)
    flush()
    return turns


def _assistant(blocks: list[Block]) -> ChatMessage:
    text, reasoning, calls = [], [], []
    for block in blocks:
        match block:
            case Text():
                text.append(block.text)
            case Thinking():
                reasoning.append(block.thinking)
            case ToolUse():
                arguments = msgspec.json.encode(block.input).decode()
                function = {"name": block.name, "arguments": arguments}
                calls.append({"id": block.id, "type": "function", "function": function})
            case Image() | ToolResult():
                raise _misplaced(block, "assistant")
    message: ChatMessage = {"role": "assistant", "content": "".join(text) if text or not calls else None}
    if reasoning:
        message["reasoning"] = "".join(reasoning)
    if calls:
        message["tool_calls"] = calls
    return message


def _content(blocks: Any) -> str | list[Any]:
    """A single text as a string, which every chat template takes; else parts."""
    if len(blocks) == 1 and isinstance(blocks[0], Text):
        return str(blocks[0].text)
    return [_part(block) for block in blocks]


def _part(block: Text | Image) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"type": "text", "text": block.text}
    source = block.source
    url = source.url if isinstance(source, _Url) else f"data:{source.media_type};base64,{source.data}"
    return {"type": "image_url", "image_url": {"url": url}}


def _misplaced(block: Block, role: str) -> ApiError:
    return invalid(f"messages: a {role} message cannot hold a {block.__struct_config__.tag} block", "messages")
