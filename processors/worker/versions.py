"""The newest policy version that was announced, for those who leave out what is too old."""

import threading

from clawstream.streams.reading.consumer import Follower
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import WEIGHTS

_POLL_SECONDS = 0.5


class NewestVersion:
    """Follows ``weights`` in a thread. ``value`` is None until one was announced."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._follower = Follower(kafka, WEIGHTS)
        self.value: int | None = None
        threading.Thread(target=self._follow, name="newest-version", daemon=True).start()

    def _follow(self) -> None:
        while True:
            for received in self._follower.poll(_POLL_SECONDS):
                if received.record.base is None:  # each adapter counts its own versions
                    self.value = max(self.value or 0, received.record.version)
