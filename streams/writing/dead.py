"""Dead letters: what could not be read, kept as it was, with where it came from and why.

Invariant: :meth:`DeadLetters.bury` returns only once the broker has the letter.
"""

import logging
from dataclasses import dataclass
from typing import TypeVar

from clawstream.schemas import Record
from clawstream.streams.process.metrics import DEAD_LETTERS
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import Topic

R = TypeVar("R", bound=Record)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Letter:
    """What was read, and where."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class DeadLetters:
    """Writes dead letters in the name of one reader."""

    def __init__(self, settings: KafkaSettings, producer: Producer, reader: str) -> None:
        self._settings, self._producer, self._reader = settings, producer, reader

    def bury(self, topic: Topic[R], letter: Letter, reason: str) -> None:
        """Put ``letter`` into ``<topic>.dead``."""
        headers = {
            "topic": topic.name,
            "partition": str(letter.partition),
            "offset": str(letter.offset),
            "reason": reason,
            "reader": self._reader,
        }
        name = self._settings.name(topic.dead)
        self._producer.send_bytes(name, letter.key, letter.value, headers).result()
        DEAD_LETTERS.labels(topic.name).inc()
        _log.warning("dead letter: %s[%d]@%d: %s", topic.name, letter.partition, letter.offset, reason)
