"""Dead letters, read back: what they are, and putting them back where they came from.

Invariant: nothing is put back that its reader would bury again; the letter itself stays, for it is history.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import confluent_kafka as kafka

from clawstream.schemas import CodecError, decode
from clawstream.streams.errors import KafkaUnreachableError, StreamError
from clawstream.streams.reading.consumer import FOLLOWING, arrived, partitions_of
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import CATALOGUE, Topic

_SILENCE_SECONDS = 30.0


class RedriveError(StreamError):
    """A letter that cannot be put back."""


@dataclass(frozen=True, kw_only=True)
class BuriedLetter:
    """A dead letter, and where it lies."""

    topic: str  # bare name of the topic that it came from
    number: int  # its offset in the topic of dead letters
    partition: int  # where it was read; -1: it is no record of the topic
    offset: int
    reason: str
    reader: str
    key: bytes | None
    value: bytes | None
    timestamp_ms: int


def topic_named(name: str) -> Topic[Any]:
    """The topic of the catalogue. Raises ``RedriveError``."""
    for topic in CATALOGUE:
        if topic.name == name:
            return topic
    raise RedriveError(f"there is no topic {name}; there are {', '.join(topic.name for topic in CATALOGUE)}")


def buried(settings: KafkaSettings, topic: Topic[Any]) -> Iterator[BuriedLetter]:
    """Every letter in ``<topic>.dead``, oldest first. Raises ``KafkaUnreachableError``."""
    client, name = kafka.Consumer(settings.client() | FOLLOWING), settings.name(topic.dead)
    try:
        partitions = partitions_of(client, name)
        client.assign([kafka.TopicPartition(name, partition, kafka.OFFSET_BEGINNING) for partition in partitions])
        behind = set(partitions)
        while behind:
            messages = arrived(client, 500, _SILENCE_SECONDS)
            if not messages:
                raise KafkaUnreachableError(f"topic {name}: Kafka said nothing for {_SILENCE_SECONDS:g} s")
            for message in messages:
                error = message.error()
                if error is None:
                    yield _letter(topic, message)
                elif error.code() == kafka.KafkaError._PARTITION_EOF:
                    behind.discard(message.partition() or 0)
    finally:
        client.close()


def redrive(topic: Topic[Any], letter: BuriedLetter, settings: KafkaSettings, producer: Producer) -> None:
    """Put ``letter`` back into ``topic``, under its record's own key. Returns once Kafka has it.

    Raises ``RedriveError`` when it would be buried again.
    """
    where = f"{topic.dead}@{letter.number}"
    if letter.partition < 0 or letter.value is None:
        raise RedriveError(f"{where} is no record that was read from {topic.name}: {letter.reason}")
    try:
        record = decode(letter.value, topic.record)
    except CodecError as error:
        raise RedriveError(f"{where} can still not be read: {error}") from error
    headers = {"redriven": where}
    producer.send_bytes(settings.name(topic.name), topic.key(record).encode(), letter.value, headers).result()


def _letter(topic: Topic[Any], message: kafka.Message) -> BuriedLetter:
    headers = dict(message.headers() or [])

    def said(name: str) -> str:
        value = headers.get(name)
        return value.decode(errors="replace") if isinstance(value, bytes) else ""

    key = message.key()
    return BuriedLetter(
        topic=topic.name,
        number=message.offset() or 0,
        partition=int(said("partition") or -1),
        offset=int(said("offset") or -1),
        reason=said("reason"),
        reader=said("reader"),
        key=key if isinstance(key, bytes) else None,
        value=message.value(),
        timestamp_ms=message.timestamp()[1],
    )
