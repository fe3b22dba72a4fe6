"""How the pipeline is doing right now: rates, lags, dead letters.

Invariant: asked of the cluster alone, so it is true also where processes are dead; and only while somebody looks.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from clawstream.streams.errors import KafkaUnreachableError
from clawstream.streams.lag.behind import Onlooker, Report
from clawstream.streams.lag.groups import LagReader
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import CATALOGUE

_EVERY_SECONDS = 3.0
_LOOKED_AT_SECONDS = 20.0  # how long a look counts
_WINDOW = 6  # looks that a rate is over

_log = logging.getLogger(__name__)
_DEAD = [replace(topic, name=topic.dead) for topic in CATALOGUE]


@dataclass(frozen=True, kw_only=True)
class Beat:
    """One look."""

    rates: Mapping[str, float] = field(default_factory=dict)  # records per second, by topic
    totals: Mapping[str, int] = field(default_factory=dict)  # records ever written, by topic
    dead: Mapping[str, int] = field(default_factory=dict)  # letters that are kept, by topic
    report: Report | None = None  # who is behind; None: not looked yet
    problem: str = ""  # why it cannot be known


class Pulse:
    """The newest look, taken by a thread."""

    def __init__(self, kafka: KafkaSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._kafka, self._clock = kafka, clock
        self._wanted = threading.Event()
        self._wanted_at = 0.0
        self._seen: deque[tuple[float, dict[str, int]]] = deque(maxlen=_WINDOW)
        self.beat = Beat()

    def look(self) -> Beat:
        """The newest look; the next ones are taken for a while."""
        self._wanted_at = self._clock()
        self._wanted.set()
        return self.beat

    def keep_looking(self, stopped: threading.Event) -> None:
        """Look, while it is wanted, until ``stopped``."""
        onlooker, reader = Onlooker(self._kafka), LagReader(self._kafka)
        while not stopped.is_set():
            if not self._wanted.wait(0.5):
                continue
            if self._clock() - self._wanted_at > _LOOKED_AT_SECONDS:
                self._wanted.clear()
                self._seen.clear()
                continue
            try:
                self.beat = self._look(onlooker, reader)
            except KafkaUnreachableError as error:
                self.beat = Beat(problem=str(error))
                _log.warning("%s", error)
            stopped.wait(_EVERY_SECONDS)

    def _look(self, onlooker: Onlooker, reader: LagReader) -> Beat:
        totals = {name: sum(ends.values()) for name, ends in reader.ends(CATALOGUE).items()}
        self._seen.append((self._clock(), totals))
        ends, starts = reader.ends(_DEAD), reader.oldest(_DEAD)
        dead = {topic.name: sum(ends[topic.dead].values()) - sum(starts[topic.dead].values()) for topic in CATALOGUE}
        return Beat(rates=rates(self._seen), totals=totals, dead=dead, report=onlooker.report())


def rates(seen: deque[tuple[float, dict[str, int]]]) -> dict[str, float]:
    """Records per second between the first and the last look. Pure."""
    (began, first), (ended, last) = seen[0], seen[-1]
    seconds = ended - began
    return {name: (total - first[name]) / seconds if seconds > 0 else 0.0 for name, total in last.items()}
