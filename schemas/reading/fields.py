"""Fields that hold JSON: whatever a client or a model wrote there, a reader goes on. Pure."""

from typing import Any

import msgspec


def json_array(text: str | None) -> list[Any]:
    """``text`` as an array; empty where there is none, or it is no array."""
    found = _read(text)
    return found if isinstance(found, list) else []


def json_object(text: str | None) -> dict[str, Any]:
    """``text`` as an object; empty where there is none, or it is no object."""
    found = _read(text)
    return found if isinstance(found, dict) else {}


def _read(text: str | None) -> Any:
    try:
        return msgspec.json.decode(text or "null")
    except msgspec.DecodeError:
        return None
