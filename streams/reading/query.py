"""Conditions on the fields of a record, as text. Pure; nothing of it is ever evaluated as code.

    channel=train              the value, written as JSON has it or as text; of a list: one of its entries
    reward>=0.5                also < <= > !=; numbers by size, texts (and times, as ISO 8601) by order
    agent in coder,tester      one of several
    group.size=8               into records and objects; ``metadata_json.level`` also into JSON

Invariant: what is missing or null is less and greater than nothing, and equals only ``null``.
"""

import operator
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import msgspec

_CONDITION = re.compile(
    r"\s*(?P<path>\w+(\.[\w-]+)*)\s*(?P<operator><=|>=|!=|=|<|>| in )\s*(?P<value>.*?)\s*", re.DOTALL
)
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class QueryError(ValueError):
    """Text that is no condition, or one on a field that is not there."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One condition. ``str`` gives it as it was written, without spaces around the operator."""

    path: tuple[str, ...]
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{'.'.join(self.path)}{self.operator}{self.value}"

    def holds(self, record: Any) -> bool:
        """Does ``record``, a struct or a dict, fulfil it?"""
        found = _at(record, self.path)
        if self.operator == "!=":
            return not _is(found, self.value)
        if self.operator == "=":
            return _is(found, self.value)
        if found is None:
            return False
        if self.operator == " in ":
            return any(_is(found, value.strip()) for value in self.value.split(","))
        return _ordered(self.operator, found, self.value)


def condition(text: str, fields: Collection[str]) -> Condition:
    """Read ``text``. Raises ``QueryError``, which names the ``fields`` that there are."""
    found = _CONDITION.fullmatch(text)
    if found is None or found["path"].partition(".")[0] not in fields:
        raise QueryError(f"{text!r} is no condition such as channel=train on one of {', '.join(sorted(fields))}")
    return Condition(path=tuple(found["path"].split(".")), operator=found["operator"], value=found["value"])


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if isinstance(value, str):
            try:
                value = msgspec.json.decode(value)
            except msgspec.DecodeError:
                return None
        if isinstance(value, msgspec.Struct):
            value = getattr(value, name) if name in value.__struct_fields__ else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return msgspec.to_builtins(value, builtin_types=(bytes,))


def _is(found: Any, value: str) -> bool:
    if isinstance(found, list):
        return any(_is(each, value) for each in found)
    if found is None or isinstance(found, bytes):
        return found is None and value == "null"
    written = found if isinstance(found, str) else msgspec.json.encode(found).decode()
    return written == value or (_is_number(found) and _number(value) == found)


def _ordered(name: str, found: Any, value: str) -> bool:
    if _is_number(found):
        number = _number(value)
        return number is not None and _ORDER[name](found, number)
    return isinstance(found, str) and _ORDER[name](found, value)


def _is_number(found: Any) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
