"""Dead letters: what could not be read, kept as it was, with where it came from and why.

Invariant: :meth:`DeadLetters.bury` returns only once the broker has the letter.
"""

import logging
from typing import TypeVar

import confluent_kafka as kafka

from clawstream.schemas import Record
from clawstream.streams.metrics import DEAD_LETTERS
from clawstream.streams.producer import Producer
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import Topic

R = TypeVar("R", bound=Record)

_log = logging.getLogger(__name__)


def dead_headers(topic: str, partition: int, offset: int, reason: str, reader: str) -> dict[str, str]:
    """Headers of a dead letter."""
    return {"topic": topic, "partition": str(partition), "offset": str(offset), "reason": reason, "reader": reader}


class DeadLetters:
    """Writes dead letters in the name of one reader."""

    def __init__(self, settings: KafkaSettings, producer: Producer, reader: str) -> None:
        self._settings, self._producer, self._reader = settings, producer, reader

    def bury(self, topic: Topic[R], message: kafka.Message, reason: str) -> None:
        """Put ``message`` into ``<topic>.dead``."""
        headers = dead_headers(topic.name, message.partition() or 0, message.offset() or 0, reason, self._reader)
        self._producer.send_bytes(self._settings.name(topic.dead), message.key(), message.value(), headers).result(
            timeout=60
        )
        DEAD_LETTERS.labels(topic.name).inc()
        _log.warning("dead letter: %s[%s]@%s: %s", topic.name, message.partition(), message.offset(), reason)
