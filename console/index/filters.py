"""What a list of trajectories is narrowed to, as a URL has it. Pure.

Invariant: ``read(write(wanted)) == wanted``, and what a URL says that is no filter is left out, never an error.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from clawstream.console.index.summary import STATUSES

_NUMBERS = ("reward_min", "reward_max", "version_min", "version_max", "steps_min", "before")
_CONDITIONS = {
    "agent": "agent = ?",
    "channel": "channel = ?",
    "group": "group_id = ?",
    "review": "review = ?",
    "reward_min": "reward >= ?",
    "reward_max": "reward <= ?",
    "version_min": "version_max >= ?",
    "version_max": "version_min <= ?",
    "steps_min": "steps >= ?",
    "before": "last_ms < ?",
}


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Empty and ``None``: whichever."""

    text: str = ""  # full-text query
    status: str = ""
    agent: str = ""
    channel: str = ""
    group: str = ""
    review: str = ""
    reward_min: float | None = None
    reward_max: float | None = None
    version_min: float | None = None
    version_max: float | None = None
    steps_min: float | None = None
    before: float | None = None  # milliseconds: what was last heard of earlier, for the next page

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        """The filter in a URL's ``query``."""
        found: dict[str, Any] = {}
        for field in fields(cls):
            value = query.get(field.name, "").strip()
            if field.name in _NUMBERS:
                found[field.name] = _number(value)
            elif field.name != "status" or value in STATUSES:
                found[field.name] = value[:500]
        return cls(**found)

    def write(self) -> dict[str, str]:
        """As it is in a URL."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: f"{value:.17g}" if name in _NUMBERS else value for name, value in said.items() if _is_said(value)}

    def but(self, **changed: Any) -> Self:
        """This filter with other values, on its first page."""
        return replace(self, **({"before": None} | changed))

    def conditions(self) -> Iterator[tuple[str, Any]]:
        """Of SQL, each with its value; the text is no part of them."""
        if self.status:
            yield "status = ?", STATUSES.index(self.status)
        for name, condition in _CONDITIONS.items():
            if _is_said(value := getattr(self, name)):
                yield condition, value


def matching(text: str) -> str:
    """``text`` as FTS5 takes it: every word as it is written, what stands between quotes as one phrase."""
    parts = text.split('"')
    phrases = [part for number, part in enumerate(parts) if number % 2 and part.strip()]
    words = [word for number, part in enumerate(parts) if not number % 2 for word in part.split()]
    return " ".join(f'"{each}"' for each in [*phrases, *words])


def _is_said(value: Any) -> bool:
    return value is not None and value != ""


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 2**62 else None
