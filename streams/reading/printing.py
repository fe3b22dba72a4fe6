"""Records as people and scripts read them. Pure."""

from typing import Any

import msgspec

from clawstream.schemas import Record, unpack_logprobs, unpack_tokens

_LONGEST_TEXT = 200  # characters, for people


def plain(record: Record) -> dict[str, Any]:
    """``record`` as JSON has it: token ids and log-probabilities as lists of numbers, times as ISO 8601."""
    return {name: _value(name, getattr(record, name)) for name in record.__struct_fields__}


def brief(record: Record) -> dict[str, Any]:
    """``record`` for people: what is not said left out, lists of tokens as their lengths, long texts cut."""
    return {name: short for name, value in plain(record).items() if (short := _short(name, value)) is not None}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return unpack_logprobs(value).tolist() if name.endswith("logprobs") else unpack_tokens(value).tolist()
    if isinstance(value, msgspec.Struct):
        return {inner: _value(inner, getattr(value, inner)) for inner in value.__struct_fields__}
    if isinstance(value, list):
        return [_value(name, each) for each in value]
    return msgspec.to_builtins(value)


def _short(name: str, value: Any) -> Any:
    if value is None or value in ("", [], {}):
        return None
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return f"{value[:_LONGEST_TEXT]}… ({len(value)} characters)"
    if isinstance(value, list) and all(isinstance(each, int | float) for each in value):
        return f"{len(value)} {'log-probabilities' if name.endswith('logprobs') else 'tokens'}"
    if isinstance(value, dict):
        return {inner: short for inner, each in value.items() if (short := _short(inner, each)) is not None}
    if isinstance(value, list):
        return [_short(name, each) for each in value]
    return value
