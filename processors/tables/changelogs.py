"""The tables of a worker: in memory, and in changelogs, from which they come back wherever the partitions go.

Invariant: a table holds what its changelog says of this worker's partitions, and what has changed since and is not sent
yet. It is read back whole at every assignment: another worker may have written meanwhile. Faust's tables would read a
changelog one record after the other, some three thousand a second, and a restart would take minutes.
"""

import asyncio
import logging
import time
from collections import UserDict
from collections.abc import Container

from clawstream.processors.metrics import RESTORE_SECONDS
from clawstream.streams.cluster.admin import WantedTopic, create
from clawstream.streams.reading.compacted import newest
from clawstream.streams.settings import KafkaSettings

_log = logging.getLogger(__name__)
_SEGMENT_BYTES = 16 * 1024 * 1024  # the newest segment is not compacted, so a restart reads it whole
# Else a restart would read up to a segment (a gigabyte) of changes that no longer matter, and a day of deletions.
_COMPACTED_SOON = {
    "cleanup.policy": "compact",
    "segment.ms": "300000",
    "min.cleanable.dirty.ratio": "0.2",
    "max.compaction.lag.ms": "600000",
    "delete.retention.ms": "600000",
}


class LoggedTable(UserDict[bytes, bytes]):
    """A table whose changes wait until they are sent together."""

    def __init__(self, changelog: str) -> None:
        """``changelog``: its topic, by its bare name."""
        self.changelog = changelog
        self.changed: dict[bytes, bytes | None] = {}  # the newest value; None: the key is gone
        super().__init__()

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self.data[key] = self.changed[key] = value

    def __delitem__(self, key: bytes) -> None:
        del self.data[key]
        self.changed[key] = None

    def restore(self, data: dict[bytes, bytes]) -> None:
        """Hold ``data``, as the changelog has it, and nothing else."""
        self.data, self.changed = data, {}


class Changelogs:
    """The tables of one worker of ``group``, each with a changelog of ``partitions`` partitions."""

    def __init__(self, kafka: KafkaSettings, group: str, partitions: int) -> None:
        self._kafka, self._group, self._partitions = kafka, group, partitions
        self._tables: list[LoggedTable] = []
        self._assignment = 0

    def table(self, name: str) -> LoggedTable:
        """A new table; its changelog is made where there is none."""
        table = LoggedTable(f"{self._group}-{name}-changelog")
        config = _COMPACTED_SOON | {
            "max.message.bytes": str(2 * self._kafka.max_record_bytes),
            "min.insync.replicas": str(self._kafka.min_insync_replicas),
            "segment.bytes": str(max(_SEGMENT_BYTES, 2 * self._kafka.max_record_bytes)),
        }
        topic = WantedTopic(name=self._kafka.name(table.changelog), partitions=self._partitions, config=config)
        create(self._kafka, [topic])
        self._tables.append(table)
        return table

    async def restore(self, partitions: Container[int]) -> bool:
        """Read every table back, as far as it is in ``partitions``; False when these were let go before it was done.

        Raises ``KafkaUnreachableError``.
        """
        assignment, started = self._assignment, time.monotonic()
        for table in self._tables:
            table.restore({})
        for table in self._tables:
            data = await asyncio.to_thread(
                newest, self._kafka, table.changelog, partitions, lambda: self._assignment != assignment
            )
            if self._assignment != assignment:
                return False  # the next one reads them again
            table.restore(data)
        RESTORE_SECONDS.set(time.monotonic() - started)
        keys = sum(len(table) for table in self._tables)
        _log.info("tables are back after %.1f s: %d keys", time.monotonic() - started, keys)
        return True

    def let_go(self) -> None:
        """Partitions are about to change; what is being read back does not matter any more."""
        self._assignment += 1
