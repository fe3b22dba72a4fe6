"""The newest policy versions that were announced, for those who leave out what is too old.

Invariant: each model counts its own, and an adapter is a model: version 3 of one says nothing of another's.
"""

import threading

from clawstream.schemas import WeightVersion
from clawstream.streams.reading.consumer import Follower
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import WEIGHTS

_POLL_SECONDS = 0.5


class NewestVersions:
    """Follows ``weights`` in a thread. ``by_model`` holds those that were announced, from the beginning."""

    def __init__(self, kafka: KafkaSettings) -> None:
        """Raises ``KafkaUnreachableError``."""
        self._follower = Follower(kafka, WEIGHTS)
        self.by_model: dict[str, int] = {}
        for received in self._follower.to_end():  # else what waits at a start would pass for young
            self.note(received.record)
        threading.Thread(target=self._follow, name="newest-versions", daemon=True).start()

    def note(self, weights: WeightVersion) -> None:
        """Take in an announcement; one that is said again, or of what is retired, changes nothing."""
        self.by_model[weights.model] = max(self.by_model.get(weights.model, 0), weights.version)

    def _follow(self) -> None:
        while True:
            for received in self._follower.poll(_POLL_SECONDS):
                self.note(received.record)
