"""What the topics say while the demo runs: versions, updates, lags, steps per second.

Invariant: everything shown is read from Kafka, as any outside observer could.
"""

import threading
import time
from collections import deque
from dataclasses import dataclass, field

from clawstream.schemas import NodeStatus, UpdateReport
from clawstream.streams.errors import KafkaUnreachableError
from clawstream.streams.lag.groups import LagReader
from clawstream.streams.reading.consumer import Follower
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import NODES, SAMPLES, STEPS, UPDATES

TRAINER_GROUP = "trainer"
_RATE_SECONDS = 10.0


@dataclass(kw_only=True)
class Observed:
    """The latest of everything."""

    nodes: dict[str, NodeStatus] = field(default_factory=dict)
    updates: list[UpdateReport] = field(default_factory=list)
    steps: int = 0  # records in the steps topic
    steps_per_second: float = 0.0
    consumer_lag: int = 0  # samples that the trainer has not taken yet

    @property
    def served_version(self) -> int | None:
        """The oldest version that a node serves; None before any is ready."""
        ready = [status.version for status in self.nodes.values() if status.health in ("ready", "swapping")]
        return min(ready, default=None)

    @property
    def trained_version(self) -> int:
        """The newest version that was trained."""
        return self.updates[-1].version if self.updates else 0


class Watch:
    """Follows the topics from a thread."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self.observed = Observed()
        self._kafka, self._stop = kafka, threading.Event()
        self._seen_updates: set[str] = set()
        self._rates: deque[tuple[float, int]] = deque()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        nodes, updates = Follower(self._kafka, NODES), Follower(self._kafka, UPDATES)
        lags = LagReader(self._kafka)
        while not self._stop.wait(0.3):
            for status in nodes.poll(0.05):
                self.observed.nodes[status.record.node] = status.record
            for report in updates.poll(0.05):
                self._note_update(report.record)
            try:
                self._note_steps(sum(lags.end_offsets(STEPS).values()))
                self.observed.consumer_lag = lags.lag(TRAINER_GROUP, SAMPLES)
            except KafkaUnreachableError:
                continue  # the broker is being restarted; the figures stay as they were
        nodes.close()
        updates.close()

    def _note_update(self, report: UpdateReport) -> None:
        if report.update_id not in self._seen_updates:
            self._seen_updates.add(report.update_id)
            self.observed.updates.append(report)

    def _note_steps(self, count: int) -> None:
        now = time.monotonic()
        self._rates.append((now, count))
        while now - self._rates[0][0] > _RATE_SECONDS:
            self._rates.popleft()
        since, before = self._rates[0]
        elapsed = now - since
        self.observed.steps = count
        self.observed.steps_per_second = (count - before) / elapsed if elapsed > 0 else 0.0
