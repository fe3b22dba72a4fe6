"""Which of history is replayed. Pure.

Invariant: a trajectory is taken whole or not at all: it is taken when one of its steps fulfils all that is asked, so no
conversation begins in its middle.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from clawstream.processors.readiness.assembly import Event
from clawstream.schemas import Record, Step
from clawstream.streams.reading.query import Condition
from clawstream.streams.reading.ranges import Ranges


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """An event and where it lay."""

    partition: int
    offset: int
    event: Event


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is asked; nothing: all."""

    trajectories: frozenset[str] = frozenset()
    since: datetime | None = None  # by the times that the gateway has given
    until: datetime | None = None
    where: tuple[Condition, ...] = ()  # on fields of a step, or of the record that is copied
    offsets: Mapping[str, Ranges] = field(default_factory=dict)  # by topic; those that are not named count whole

    @property
    def everything(self) -> bool:
        """Is nothing asked?"""
        return self == Selection()

    def takes(self, trajectory: Iterable[Placed]) -> bool:
        """Is a trajectory replayed?"""
        return self.everything or any(
            isinstance(placed.event, Step) and self._asked_for(placed, placed.event) for placed in trajectory
        )

    def takes_record(self, record: Record) -> bool:
        """Is a record copied? Times and offsets have already counted then."""
        named = not self.trajectories or getattr(record, "trajectory_id", None) in self.trajectories
        return named and all(condition.holds(record) for condition in self.where)

    def described(self) -> dict[str, Any]:
        """What is asked, as JSON has it."""
        return {
            "trajectories": sorted(self.trajectories),
            "since": None if self.since is None else self.since.isoformat(),
            "until": None if self.until is None else self.until.isoformat(),
            "where": [str(condition) for condition in self.where],
            "offsets": {topic: {str(p): list(o) for p, o in each.items()} for topic, each in self.offsets.items()},
        }

    def _asked_for(self, placed: Placed, step: Step) -> bool:
        if self.trajectories and step.trajectory_id not in self.trajectories:
            return False
        if self.since is not None and step.received_at < self.since:
            return False
        if self.until is not None and step.received_at >= self.until:
            return False
        if ranges := self.offsets.get("steps"):
            start, end = ranges.get(placed.partition, (0, 0))
            if not start <= placed.offset < end:
                return False
        return all(condition.holds(step) for condition in self.where)
