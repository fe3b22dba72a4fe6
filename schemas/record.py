"""The base of every record: frozen, keyword-only, each field described once.

Invariant: a record says all that its Avro schema says, so the schema is derived from it and never written by hand.
"""

from typing import Any

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable fact. Subclasses repeat ``frozen`` and ``kw_only`` for type checkers and describe each field."""


def says(description: str) -> Any:
    """One line on what a field means, with its unit and shape; it becomes the Avro field's ``doc``."""
    return msgspec.Meta(description=description)
