"""Records that are sent together and waited for together.

Invariant: the one future resolves once every record is acknowledged, or fails with the first that is not.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from clawstream.schemas import Record, encode
from clawstream.streams.errors import KafkaSendError
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import Topic

R = TypeVar("R", bound=Record)
Settle = Callable[[KafkaSendError | None], None]  # called once for each record, from any thread
Queue = Callable[[str, bytes | None, bytes | None, int | None, Settle], None]


class Batch:
    """Made by ``Producer.batch``. Call :meth:`sent` once, after the last record."""

    def __init__(self, queue: Queue, settings: KafkaSettings) -> None:
        self._queue, self._settings = queue, settings
        self._future: Future[None] = Future()
        self._future.set_running_or_notify_cancel()
        self._lock = threading.Lock()
        self._unanswered = 1  # the batch itself, until it is sent
        self._failure: KafkaSendError | None = None

    def send(self, topic: Topic[R], record: R) -> None:
        """Queue ``record``. Raises ``CodecError``, and ``KafkaSendError`` when there is no room for long."""
        self.send_bytes(self._settings.name(topic.name), topic.key(record).encode(), encode(record))

    def send_bytes(self, topic: str, key: bytes | None, value: bytes | None, *, partition: int | None = None) -> None:
        """Queue raw bytes. The key says which partition, unless given."""
        with self._lock:
            self._unanswered += 1
        self._queue(topic, key, value, partition, self._settle)

    def sent(self) -> Future[None]:
        """Resolves once all are acknowledged."""
        self._settle(None)
        return self._future

    def _settle(self, failure: KafkaSendError | None) -> None:
        with self._lock:
            self._unanswered -= 1
            self._failure = self._failure or failure
            if self._unanswered:
                return
        if self._failure is None:
            self._future.set_result(None)
        else:
            self._future.set_exception(self._failure)
