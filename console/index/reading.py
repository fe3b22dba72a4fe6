"""What pages ask of the index.

Invariant: every question names the tenant that asks, and nothing of another one is in an answer. Answers are bounded.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from clawstream.console.index.filters import Filter, matching
from clawstream.console.index.store import Index
from clawstream.console.index.summary import STATUSES
from clawstream.schemas import CodecError, Record, Sample, UpdateReport, decode
from clawstream.topics import CATALOGUE, SAMPLES, UPDATES

MOST_MATCHES = 2000  # newest steps that a text search looks at
_MOST_RECORDS = 5000  # of one trajectory
_MOST_UPDATES = 2000
_TOPICS = {topic.name: topic for topic in CATALOGUE}
_COLUMNS = """number, trajectory_id, group_id, agent, channel, status, reason, review, tags, opened_ms, last_ms, steps,
tokens, rejected, version_min, version_max, reward, update_version"""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A trajectory in a list."""

    number: int
    trajectory_id: str
    group_id: str
    agent: str
    channel: str
    status: str
    reason: str
    review: str
    tags: str
    opened_ms: int
    last_ms: int
    steps: int
    tokens: int
    rejected: int
    version_min: int | None
    version_max: int | None
    reward: float | None
    update_version: int | None


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A record of the log, and where it lies."""

    topic: str
    partition: int
    offset: int
    record: Record


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an update did with a sample."""

    sample_id: str
    update_id: str
    version: int
    status: str


class Reading:
    """Questions of ``tenant``."""

    def __init__(self, index: Index, tenant: str) -> None:
        self._index, self._tenant = index, tenant

    def trajectories(self, wanted: Filter, count: int) -> list[Listed]:
        """Those that were last heard of, newest first."""
        conditions, values = ["tenant = ?"], list[Any]([self._tenant])
        for condition, value in wanted.conditions():
            conditions.append(condition)
            values.append(value)
        if wanted.text:
            if not (match := matching(wanted.text)):
                return []
            conditions.append(
                "trajectory_id IN (SELECT trajectory_id FROM records WHERE tenant = ? AND number IN"
                " (SELECT rowid FROM search WHERE search MATCH ? ORDER BY rowid DESC LIMIT ?))"
            )
            values += [self._tenant, match, MOST_MATCHES]
        asked = f"SELECT {_COLUMNS} FROM trajectories WHERE {' AND '.join(conditions)} ORDER BY last_ms DESC LIMIT ?"  # noqa: S608
        return [_listed(row) for row in self._all(asked, (*values, count))]

    def trajectory(self, trajectory_id: str) -> Listed | None:
        """One of them."""
        asked = f"SELECT {_COLUMNS} FROM trajectories WHERE tenant = ? AND trajectory_id = ?"  # noqa: S608
        found = self._all(asked, (self._tenant, trajectory_id))
        return _listed(found[0]) if found else None

    def records(self, trajectory_id: str) -> list[Kept]:
        """Everything that the topics say of a trajectory, in the order in which it was read."""
        return self._records("trajectory_id = ? AND tenant = ? ORDER BY number", (trajectory_id, self._tenant))

    def record(self, topic: str, record_id: str) -> Kept | None:
        """One record of the tenant's."""
        found = self._records("topic = ? AND record_id = ? AND tenant = ?", (topic, record_id, self._tenant))
        return found[0] if found else None

    def review_queue(self, count: int) -> list[Listed]:
        """What has not been put into a sample or rejected, and no person has looked at; the oldest first."""
        asked = (
            f"SELECT {_COLUMNS} FROM trajectories WHERE tenant = ? AND status IN (0, 1, 2) AND review = ''"  # noqa: S608
            " AND steps > 0 ORDER BY status DESC, last_ms LIMIT ?"
        )
        return [_listed(row) for row in self._all(asked, (self._tenant, count))]

    def outcomes(self, sample_ids: Sequence[str]) -> list[Outcome]:
        """What updates did with ``sample_ids``."""
        asked = f"SELECT * FROM outcomes WHERE sample_id IN ({_marks(sample_ids)})"  # noqa: S608
        return [
            Outcome(sample_id=row[0], update_id=row[1], version=row[2], status=STATUSES[row[3]])
            for row in self._all(asked, tuple(sample_ids))
        ]

    def updates(self) -> list[UpdateReport]:
        """The newest updates of every model, oldest first."""
        rows = self._all(
            "SELECT value FROM records WHERE topic = ? ORDER BY at_ms DESC LIMIT ?", (UPDATES.name, _MOST_UPDATES)
        )
        return [decode(row["value"], UpdateReport) for row in reversed(rows)]

    def update_count(self) -> int:
        """How many updates there are."""
        found: int = self._all("SELECT count(*) FROM records WHERE topic = ?", (UPDATES.name,))[0][0]
        return found

    def updates_named(self, update_ids: Iterable[str]) -> list[UpdateReport]:
        """Those of ``update_ids`` that are known."""
        asked = "SELECT value FROM records WHERE topic = ? AND record_id = ?"
        rows = [row for update_id in update_ids for row in self._all(asked, (UPDATES.name, update_id))]
        return [decode(row["value"], UpdateReport) for row in rows]

    def samples(self, sample_ids: Sequence[str]) -> list[Sample]:
        """Those of ``sample_ids`` that are the tenant's."""
        asked = f"SELECT value FROM records WHERE topic = ? AND tenant = ? AND record_id IN ({_marks(sample_ids)})"  # noqa: S608
        rows = self._all(asked, (SAMPLES.name, self._tenant, *sample_ids))
        found = {sample.sample_id: sample for sample in (decode(row["value"], Sample) for row in rows)}
        return [found[sample_id] for sample_id in sample_ids if sample_id in found]

    def counts(self) -> dict[str, int]:
        """How many trajectories have each status."""
        rows = self._all("SELECT status, count(*) FROM trajectories WHERE tenant = ? GROUP BY status", (self._tenant,))
        return {STATUSES[row[0]]: row[1] for row in rows}

    def _records(self, condition: str, values: tuple[Any, ...]) -> list[Kept]:
        asked = f'SELECT topic, "partition", "offset", value FROM records WHERE {condition} LIMIT {_MOST_RECORDS}'  # noqa: S608
        found = []
        for row in self._all(asked, values):
            try:
                record = decode(row["value"], _TOPICS[row["topic"]].record)
            except CodecError:
                continue  # written by a newer version of this program
            found.append(Kept(topic=row["topic"], partition=row["partition"], offset=row["offset"], record=record))
        return found

    def _all(self, asked: str, values: tuple[Any, ...]) -> list[sqlite3.Row]:
        return self._index.reader.execute(asked, values).fetchall()


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _listed(row: sqlite3.Row) -> Listed:
    return Listed(**dict(row) | {"status": STATUSES[row["status"]]})
