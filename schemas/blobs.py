"""Large content parts of messages (images of GUI agents, audio, files) are kept apart, with references in place. Pure.

Invariant: ``restored`` undoes ``moved`` to the last character, and equal content has one reference::

    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo…"}}
    {"type": "image_url", "image_url": {"url": "blob:sha256:9f86d081…?size=51234&type=image/png"}}

The content of a base64 data URL is its bytes; of any other long string its UTF-8, with the type ``text/plain``. Texts
of a conversation stay where they are.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

SCHEME = "blob:sha256:"
_TEXT = "text/plain"
_REFERENCE = re.compile(rf"{SCHEME}(?P<sha256>[0-9a-f]{{64}})\?size=(?P<size>\d+)&type=(?P<type>[^&]+)")
_DATA = re.compile(r"data:(?P<type>[^;,]+);base64,(?P<data>[^,]*)")

Message = dict[str, Any]


class Reference(NamedTuple):
    """What a reference says."""

    sha256: str  # hex digest of the content
    size_bytes: int
    media_type: str


def read_reference(text: str) -> Reference | None:
    """``text`` as a reference, where it is one."""
    found = _REFERENCE.fullmatch(text)
    return Reference(found["sha256"], int(found["size"]), unquote(found["type"])) if found else None


def moved(messages: Sequence[Message], min_bytes: int) -> tuple[list[Message], dict[str, bytes]]:
    """``messages`` with references in place of what has ``min_bytes`` or more, and the content of each reference."""
    contents: dict[str, bytes] = {}

    def move(text: str) -> str:
        if len(text) < min_bytes and not text.startswith(SCHEME):  # what looks like one must not become one
            return text
        reference, content = _reference(text)
        contents[reference] = content
        return reference

    return [_changed(message, move) for message in messages], contents


def referred(message: Message) -> Message:
    """``message`` with references in place of all content, whether it was ``moved`` before or not."""
    return _changed(message, lambda text: text if read_reference(text) else _reference(text)[0])


def restored(messages: Sequence[Message], content_of: Callable[[Reference], bytes]) -> list[Message]:
    """``messages`` as they were before they were ``moved``."""

    def restore(text: str) -> str:
        if not text.startswith(SCHEME) or (reference := read_reference(text)) is None:
            return text
        content = content_of(reference)
        if reference.media_type == _TEXT:
            return content.decode(errors="surrogatepass")
        return f"data:{reference.media_type};base64,{base64.b64encode(content).decode()}"

    return [_changed(message, restore) for message in messages]


def _changed(message: Message, change: Callable[[str], str]) -> Message:
    """``message`` with the strings of its content parts changed; those of texts are not."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    parts = [part if _is_text(part) else _deep(part, change) for part in content]
    return message | {"content": parts}


def _deep(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _deep(each, change) for key, each in value.items()}
    return [_deep(each, change) for each in value] if isinstance(value, list) else value


def _is_text(part: Any) -> bool:
    return not isinstance(part, dict) or part.get("type", "text") == "text"


def _reference(text: str) -> tuple[str, bytes]:
    """The reference to ``text``, and its content."""
    media_type, content = _content(text)
    digest = hashlib.sha256(content).hexdigest()
    return f"{SCHEME}{digest}?size={len(content)}&type={quote(media_type, safe='/')}", content


def _content(text: str) -> tuple[str, bytes]:
    """Media type and content of ``text``."""
    if (found := _DATA.fullmatch(text)) is not None and found["type"] != _TEXT:
        try:
            content = base64.b64decode(found["data"], validate=True)
        except (binascii.Error, ValueError):
            content = b""
        if base64.b64encode(content).decode() == found["data"]:
            return found["type"], content
    return _TEXT, text.encode(errors="surrogatepass")
