"""May a call that failed be tried again, and when? Pure.

Invariant: every kind of trouble ends but one: a gateway that paces is waited for as long as it says so, since the
trainer decides when it can use another trajectory::

    paced        429 paced                  after Retry-After, without end
    away         no connection, 503, 429    for ``outage_seconds`` without an answer in between
    failed       500, 502, 504, time-out    ``tries`` times in all
    refused      any other status           never
"""

from dataclasses import dataclass, replace
from typing import Literal

from clawstream.agents.errors import AgentError, RefusedError, UnavailableError

Kind = Literal["paced", "away", "failed", "refused"]

_AWAY, _FAILED = frozenset({429, 503}), frozenset({408, 500, 502, 504})
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.1, 5.0
_LONGEST_RETRY_AFTER_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a call is tried for."""

    outage_seconds: float = 60.0  # that a gateway may be away or too busy
    tries: int = 3  # of a call that the gateway or its node fails


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Why a try gave no result."""

    kind: Kind
    message: str
    status: int | None = None  # None: there was no answer
    code: str | None = None
    retry_after_seconds: float | None = None

    def as_error(self) -> AgentError:
        """What is raised when the call is not tried again."""
        if self.kind == "refused" and self.status is not None:
            return RefusedError(self.message, status=self.status, code=self.code)
        return UnavailableError(self.message)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """The tries of one call so far."""

    count: int = 0
    failed_count: int = 0
    quick_count: int = 0  # since the last wait that the gateway chose
    away_since_seconds: float | None = None  # on a monotonic clock


def kind_of(status: int, code: str | None) -> Kind:
    """What an answer other than 2xx means for the next try."""
    if status == 429 and code == "paced":
        return "paced"
    if status in _AWAY:
        return "away"
    return "failed" if status in _FAILED else "refused"


def retry_after(header: str | None) -> float | None:
    """The seconds that ``Retry-After`` names; None for a date or no number. Bounded."""
    if header is None or not header.isascii() or not header.isdigit():
        return None
    return min(float(header), _LONGEST_RETRY_AFTER_SECONDS)


def next_wait(tried: Tried, trouble: Trouble, now_seconds: float, patience: Patience) -> tuple[Tried, float | None]:
    """The tries with this one, and how many seconds to wait before the next; None: give up.

    Waits double from 0.1 s to 5 s; one that the gateway names is kept to.
    """
    away_since = tried.away_since_seconds if tried.away_since_seconds is not None else now_seconds
    after = replace(
        tried,
        count=tried.count + 1,
        failed_count=tried.failed_count + (trouble.kind == "failed"),
        quick_count=0 if trouble.kind == "paced" else tried.quick_count + 1,
        away_since_seconds=away_since if trouble.kind == "away" else None,
    )
    if _is_over(after, trouble, now_seconds, patience):
        return after, None
    backoff = min(_FIRST_WAIT_SECONDS * 2.0 ** min(tried.quick_count, 10), _LONGEST_WAIT_SECONDS)
    named = trouble.retry_after_seconds
    return after, backoff if named is None else max(named, _FIRST_WAIT_SECONDS)


def _is_over(tried: Tried, trouble: Trouble, now_seconds: float, patience: Patience) -> bool:
    match trouble.kind:
        case "paced":
            return False
        case "away":
            return now_seconds - (tried.away_since_seconds or now_seconds) >= patience.outage_seconds
        case "failed":
            return tried.failed_count >= patience.tries
        case "refused":
            return True
