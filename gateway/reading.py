"""Request bodies to typed values; what does not fit is a 400 that names the field."""

import re
from typing import Any, TypeVar

import msgspec

from clawstream.gateway.errors import invalid

T = TypeVar("T")

_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"missing required field `(?P<field>[^`]*)`")


def read_object(data: bytes) -> dict[str, Any]:
    """The JSON object in ``data``; an empty body is an empty object. Raises ``ApiError`` 400."""
    if not data.strip():
        return {}
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(f"the body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise invalid(f"the body must be a JSON object, not {type(value).__name__}")
    return value


def shaped(value: dict[str, Any], shape: type[T]) -> T:
    """``value`` as ``shape``, unknown keys ignored. Raises ``ApiError`` 400 that names the field in ``param``."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        said = str(error)
        at, missing = _PATH.search(said), _MISSING.search(said)
        path = [part for part in (at and at["path"], missing and missing["field"]) if part]
        param = ".".join(path) or None
        raise invalid(f"{param}: {_PATH.sub('', said)}" if param else said, param) from error
