"""The index's file: what was read goes in, with the offsets behind it, in one transaction.

Invariant: after ``kill -9`` the file holds exactly what the offsets in it say. One process writes; any number of
threads read, each over a connection of its own.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from clawstream.console.index.entries import entry_of, kept, text_of
from clawstream.console.index.summary import changes
from clawstream.console.index.tables import LAYOUT, TABLES
from clawstream.schemas import NodeStatus, Step, decode
from clawstream.streams.reading.history import Place, Told

FILE = "index.sqlite"
_PRUNED_AT_ONCE = 200  # trajectories
_INSERT = """
INSERT OR {} INTO records (topic, record_id, tenant, trajectory_id, step_id, at_ms, "partition", "offset", value)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_NEW, _NEWEST = _INSERT.format("IGNORE"), _INSERT.format("REPLACE")
_OFFSET = 'INSERT OR REPLACE INTO offsets (topic, "partition", next) VALUES (?, ?, ?)'
_OLDEST = "SELECT number, tenant, trajectory_id FROM trajectories WHERE last_ms < ? ORDER BY last_ms LIMIT ?"
_EXCESS_ENDS = """
SELECT last_ms FROM (SELECT last_ms, sum(steps) OVER (ORDER BY last_ms DESC) AS newer FROM trajectories)
WHERE newer > ? ORDER BY last_ms DESC LIMIT 1
"""


class Index:
    """The index in ``folder``."""

    def __init__(self, folder: Path, *, rebuild: bool = False) -> None:
        """``rebuild``: throw away what is there."""
        self.path = folder / FILE
        self._local = threading.local()
        if rebuild or (self.path.exists() and _layout(self.path) != LAYOUT):
            for part in folder.glob(f"{FILE}*"):  # the file and SQLite's beside it
                part.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        self._writer = _connected(self.path)
        if _layout(self.path) != LAYOUT:
            self._writer.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {LAYOUT}; COMMIT;")
        self.changed = 0  # counted up with every transaction

    def offsets(self) -> dict[Place, int]:
        """Next offset to be read, by topic and partition."""
        return {(topic, partition): after for topic, partition, after in self._writer.execute("SELECT * FROM offsets")}

    def take(self, told: Sequence[Told]) -> int:
        """Put in what was read; how many records were new."""
        new = 0
        with self._writer:
            self._writer.execute("BEGIN IMMEDIATE")
            for each in told:
                new += self._take(each)
            reached = {(each.topic.name, each.partition): each.offset + 1 for each in told}
            self._writer.executemany(_OFFSET, [(*place, after) for place, after in reached.items()])
        self.changed += 1
        return new

    def prune(self, max_steps: int, before_ms: int) -> int:
        """Forget some of the trajectories that are older, or the oldest beyond ``max_steps``; how many there were."""
        excess = self._writer.execute(_EXCESS_ENDS, (max_steps,)).fetchone()
        ends_ms = max(before_ms, 0 if excess is None else excess[0] + 1)
        old = self._writer.execute(_OLDEST, (ends_ms, _PRUNED_AT_ONCE)).fetchall()
        if old:
            with self._writer:
                self._writer.execute("BEGIN IMMEDIATE")
                for number, tenant, trajectory_id in old:
                    self._forget(number, tenant, trajectory_id)
            self.changed += 1
        return len(old)

    @property
    def reader(self) -> sqlite3.Connection:
        """This thread's connection, which writes nothing."""
        if not hasattr(self._local, "connection"):
            self._local.connection = _connected(self.path)
            self._local.connection.execute("PRAGMA query_only = 1")
            self._local.connection.row_factory = sqlite3.Row
        found: sqlite3.Connection = self._local.connection
        return found

    def close(self) -> None:
        """Close the writer's connection."""
        self._writer.close()

    def _take(self, told: Told) -> int:
        record = told.record
        if record is None:
            return 0
        entry = entry_of(record)
        row = (
            told.topic.name,
            entry.record_id,
            entry.tenant,
            entry.trajectory_id,
            entry.step_id,
            int(entry.at.timestamp() * 1000),
            told.partition,
            told.offset,
            kept(record, told.value),
        )
        inserted = self._writer.execute(_NEWEST if isinstance(record, NodeStatus) else _NEW, row)
        if not inserted.rowcount:
            return 0
        if isinstance(record, Step):
            text = text_of(record)
            self._writer.execute("INSERT INTO search (rowid, text) VALUES (?, ?)", (inserted.lastrowid, text))
        for statement, values in changes(record):
            self._writer.execute(statement, values)
        return 1

    def _forget(self, number: int, tenant: str, trajectory_id: str) -> None:
        its = "FROM records WHERE trajectory_id = ? AND tenant = ?"
        place = (trajectory_id, tenant)
        for row, value in self._writer.execute(f"SELECT number, value {its} AND topic = 'steps'", place).fetchall():
            text = text_of(decode(value, Step))
            self._writer.execute("INSERT INTO search (search, rowid, text) VALUES ('delete', ?, ?)", (row, text))
        samples = f"SELECT record_id {its} AND topic = 'samples'"
        self._writer.execute(f"DELETE FROM outcomes WHERE sample_id IN ({samples})", place)  # noqa: S608
        self._writer.execute(f"DELETE {its}", place)
        self._writer.execute("DELETE FROM trajectories WHERE number = ?", (number,))


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30.0)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -65536")
    return connection


def _layout(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        try:
            found: int = connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError:
            return -1
    return found
