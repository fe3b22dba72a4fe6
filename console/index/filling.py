"""Reading the topics into the index, and telling how far that is.

Invariant: an offset is committed to Kafka, for those who watch the lag, only after the index has what lies before it::

    poll -> one transaction: records, rows, offsets -> commit to Kafka
"""

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from clawstream.console.index.store import Index
from clawstream.console.settings import ConsoleSettings
from clawstream.streams.lag.groups import LagReader
from clawstream.streams.reading.history import History
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import CATALOGUE, DAY_MS

GROUP = "console"
_BATCH = 1000
_POLL_SECONDS = 0.3
_PRUNE_SECONDS = 30.0

_log = logging.getLogger(__name__)


class Progress(NamedTuple):
    """How far the index is."""

    done: int  # records
    total: int


class Filler:
    """Fills ``index``; call :meth:`step` again and again, from one thread."""

    def __init__(self, index: Index, kafka: KafkaSettings, settings: ConsoleSettings) -> None:
        self._index, self._settings = index, settings
        self._history = History(kafka, CATALOGUE, index.offsets(), GROUP)
        self._reader = LagReader(kafka)  # a client that polls keeps its own questions waiting
        self._pruned_at = time.monotonic()
        self._unreadable = 0

    @property
    def caught_up(self) -> bool:
        """True once everything that was there has been read."""
        return self._history.caught_up

    def step(self) -> int:
        """Read what has arrived; how many records there were."""
        told = self._history.poll(_BATCH, _POLL_SECONDS)
        for each in told:
            if each.record is None:
                self._unreadable += 1
                _log.warning("left out: %s[%d]@%d: %s", each.topic.name, each.partition, each.offset, each.problem)
        if told:
            self._index.take(told)
            self._history.commit({(each.topic.name, each.partition): each.offset + 1 for each in told})
        if time.monotonic() - self._pruned_at > _PRUNE_SECONDS and not self.prune():
            self._pruned_at = time.monotonic()
        return len(told)

    def prune(self) -> int:
        """Forget what is beyond the bounds; how many trajectories."""
        before_ms = int(time.time() * 1000 - self._settings.max_days * DAY_MS)
        return self._index.prune(self._settings.max_steps, before_ms)

    def progress(self) -> Progress:
        """How far it is, by offsets."""
        reached, done, total = self._index.offsets(), 0, 0
        oldest, ends = self._reader.oldest(CATALOGUE), self._reader.ends(CATALOGUE)
        for name, partitions in ends.items():
            for partition, end in partitions.items():
                start = oldest[name][partition]
                total += end - start
                done += max(0, min(reached.get((name, partition), start), end) - start)
        return Progress(done, total)

    def close(self) -> None:
        """Close the connection to Kafka."""
        self._history.close()


def fill(filler: Filler, on_progress: Callable[[Progress], None], stopped: Callable[[], bool]) -> None:
    """Read until all that is there has been read, or ``stopped``."""
    told_at = 0.0
    while not filler.caught_up and not stopped():
        filler.step()
        if time.monotonic() - told_at > 0.5:
            told_at = time.monotonic()
            on_progress(filler.progress())
    on_progress(filler.progress())
