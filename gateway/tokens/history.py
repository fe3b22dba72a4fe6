"""Messages in a canonical form, so that a conversation that goes on is recognised by what it says. Pure.

Invariant: equal digests mean that a client repeats what was said, however its library writes it down; the digest after
n messages covers all n of them, in order::

    messages    user: hi      assistant: hello      user: more
    digests  d0          d1                    d2               d3

Of an answer count the text without surrounding white space, and the calls with their arguments as JSON values. Its
reasoning does not count, nor do ids of calls (they are made up by the parser and were never sampled), fields that are
null, or whether a text is a string or a list with one part.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

Message = dict[str, Any]

NO_HISTORY = b""  # no digest is equal to it
_TEXT = "text"
_OWN_PROMPT = ("kv_transfer_params", "truncate_prompt_tokens", "continue_final_message", "echo", "chat_template")


def digests(messages: Iterable[Message], start: bytes = NO_HISTORY) -> list[bytes]:
    """Digests after 0, 1, 2, … messages, going on from ``start``."""
    found = [start]
    for message in messages:
        found.append(hashlib.sha256(found[-1] + _encode(canonical(message))).digest())
    return found


def answer_message(text: str, tool_calls: Sequence[Message]) -> Message:
    """An answer as a client will repeat it."""
    return {"role": "assistant", "content": text, "tool_calls": list(tool_calls)}


def history_of(
    messages: Sequence[Message], answer: Message, sampling: dict[str, Any], start: bytes = NO_HISTORY
) -> bytes:
    """The digest after ``messages`` and ``answer``; ``NO_HISTORY`` where the tokens were not theirs alone.

    So it is of a prompt of token ids, which has no messages.
    """
    of_ids = not messages and start == NO_HISTORY
    if of_ids or own_prompt(sampling) is not None or has_media(messages):
        return NO_HISTORY
    return digests([*messages, answer], start)[-1]


def own_prompt(sampling: dict[str, Any]) -> str | None:
    """The parameter by which a request has a prompt other than its messages rendered; ``None``: it has none."""
    return next((name for name in _OWN_PROMPT if sampling.get(name)), None)


def canonical(message: Message) -> Message:
    """``message`` without what a client may write in another way."""
    if message.get("role") == "assistant":
        return {
            "role": "assistant",
            "name": message.get("name"),
            "content": _said(message.get("content")),
            "tool_calls": [_call(call) for call in message.get("tool_calls") or ()],
        }
    kept = {key: value for key, value in message.items() if value is not None and key != "tool_call_id"}
    return kept | {"content": _content(message.get("content"))}


def has_media(messages: Iterable[Message]) -> bool:
    """Does any message hold content parts other than text?"""
    return any(
        not _is_text(part)
        for message in messages
        if isinstance(message.get("content"), list)
        for part in message["content"]
    )


def last_answer(messages: Sequence[Message]) -> int | None:
    """Index of the last message of the assistant's."""
    return next((at for at in reversed(range(len(messages))) if messages[at].get("role") == "assistant"), None)


def tools_digest(tools: Sequence[Message]) -> bytes | None:
    """What tells two lists of tools apart; ``None`` for none."""
    return hashlib.sha256(_encode(list(tools))).digest() if tools else None


def settings_digest(sampling: dict[str, Any]) -> bytes:
    """What of the sampling parameters shapes a prompt, so that one with other ones must not go on from it."""
    shaping = {key: value for key, value in sampling.items() if key in _SHAPING and value is not None}
    return hashlib.sha256(_encode(shaping)).digest()


_SHAPING = frozenset(
    {
        "add_generation_prompt",
        "add_special_tokens",
        "chat_template",
        "chat_template_kwargs",
        "documents",
        "functions",
        "reasoning_effort",
        "include_reasoning",
    }
)


def _said(content: Any) -> str | list[Any]:
    """The text of an answer; its parts where they are not text."""
    if isinstance(content, list):
        if not all(_is_text(part) for part in content):
            return content
        content = "".join(_text_of(part) for part in content)
    return content.strip() if isinstance(content, str) else ""


def _content(content: Any) -> Any:
    if not isinstance(content, list):
        return content
    parts = [_text_of(part) if _is_text(part) else part for part in content]
    return parts[0] if len(parts) == 1 else parts


def _is_text(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, dict) and part.get("type", _TEXT) == _TEXT)


def _text_of(part: Any) -> str:
    return part if isinstance(part, str) else str(part.get(_TEXT) or "")


def _call(call: Any) -> Any:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return call
    return {"name": function.get("name"), "arguments": _arguments(function.get("arguments"))}


def _arguments(arguments: Any) -> Any:
    """The JSON value; what is no JSON counts as it is written."""
    if not isinstance(arguments, str):
        return arguments if arguments is not None else {}
    try:
        return msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        return arguments.strip()


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value, order="deterministic")
