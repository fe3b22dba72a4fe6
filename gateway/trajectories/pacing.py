"""When may another train trajectory be opened? When the trainer can still use it before it is too old.

Invariant: at most ``(max_policy_lag + 1) * trajectories_per_version`` trajectories are open that were opened during the
last ``max_policy_lag + 1`` policy versions. Source: AReaL's capacity ``(eta + v + 1) * B - (accepted + running)``,
with the openings that count in place of the accepted ones, so that a lost trajectory gives its place back in time::

    max_policy_lag 1, 8 per version      version 3: 16 opened, the 17th waits
                                         version 4: still 16 of versions 3 and 4 count
                                         version 5: those of version 3 do not count any more

A tenant's adapter has a trainer of its own: its trajectories count by its versions, and beside nobody else's.
"""

from collections.abc import Iterable
from dataclasses import dataclass

_RETRY_SECONDS = 1  # a new version may free a place at any moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast trajectories may be opened."""

    trajectories_per_version: int  # that one update uses up; 0: no pacing
    max_policy_lag: int  # versions that data may be behind
    pace_seconds: float  # after which an opening stops counting

    @property
    def capacity(self) -> int:
        """Openings that may count at one time."""
        return (self.max_policy_lag + 1) * self.trajectories_per_version


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A trajectory that was opened."""

    adapter: str | None = None  # that answers it; None: the whole model does
    version: int  # newest policy version then
    at_seconds: float  # on a monotonic clock


def counts(opening: Opening, version: int, now_seconds: float, pace: Pace) -> bool:
    """Does ``opening`` still hold a place at ``version`` and time?"""
    recent = version - opening.version <= pace.max_policy_lag
    return recent and now_seconds - opening.at_seconds < pace.pace_seconds


def wait_seconds(openings: Iterable[Opening], version: int, now_seconds: float, pace: Pace) -> int | None:
    """``None`` when one more may be opened, else after how many seconds to ask again."""
    if pace.trajectories_per_version == 0:
        return None
    counting = sum(counts(opening, version, now_seconds, pace) for opening in openings)
    if counting < pace.capacity:
        return None
    return _RETRY_SECONDS
