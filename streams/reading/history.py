"""Several topics read side by side, from offsets that the caller keeps.

Invariant: in no group's way: what is read is assigned, never shared out, so each reader sees every record; offsets are
committed for those who watch the lag alone. Nothing is buried here: what cannot be decoded is handed out with the
reason.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import confluent_kafka as kafka

from clawstream.schemas import CodecError, Record, decode
from clawstream.streams.errors import StreamError
from clawstream.streams.reading.consumer import FINAL, FOLLOWING, arrived, partitions_of
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import Topic

Place = tuple[str, int]  # topic by its bare name, partition
Places = Mapping[Place, int]  # next offset to read

_BEGINNING = kafka.OFFSET_BEGINNING


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A record of the log, or why it is none."""

    topic: Topic[Any]
    partition: int
    offset: int
    timestamp_ms: int
    value: bytes
    record: Record | None  # None: it cannot be decoded
    problem: str  # why; empty where it can


class History:
    """Reads ``topics`` from their beginning, or from where ``starts`` says."""

    def __init__(self, settings: KafkaSettings, topics: Sequence[Topic[Any]], starts: Places, group: str) -> None:
        """``group``: the name under which offsets are committed. Raises ``KafkaUnreachableError``."""
        self._settings = settings
        self._topics = {settings.name(topic.name): topic for topic in topics}
        options = {"group.id": settings.name(group), "auto.offset.reset": "earliest"}
        self._client = kafka.Consumer(settings.client() | FOLLOWING | options)
        places = [(name, partition) for name in self._topics for partition in partitions_of(self._client, name)]
        self._behind = set(places)
        self._client.assign(
            [
                kafka.TopicPartition(name, partition, starts.get((self._topics[name].name, partition), _BEGINNING))
                for name, partition in places
            ]
        )

    @property
    def caught_up(self) -> bool:
        """True once the end of every partition has been seen."""
        return not self._behind

    def poll(self, max_records: int, timeout_seconds: float) -> list[Told]:
        """At most ``max_records`` that arrive within the time, in order within each partition; perhaps none."""
        messages = arrived(self._client, max_records, timeout_seconds)
        return [told for message in messages if (told := self._read(message)) is not None]

    def commit(self, offsets: Places) -> None:
        """Say how far the caller is. Losing this call loses nothing."""
        self._client.commit(offsets=list(self._positions(offsets)), asynchronous=True)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _positions(self, offsets: Places) -> Iterable[kafka.TopicPartition]:
        for (name, partition), offset in offsets.items():
            yield kafka.TopicPartition(self._settings.name(name), partition, offset)

    def _read(self, message: kafka.Message) -> Told | None:
        error, name, partition = message.error(), message.topic() or "", message.partition() or 0
        if error is not None:
            if error.code() == kafka.KafkaError._PARTITION_EOF:
                self._behind.discard((name, partition))
            elif error.fatal() or error.code() in FINAL:
                raise StreamError(f"topic {name} cannot be read: {error.str()}")
            return None  # librdkafka tries the others again by itself
        value, topic = message.value(), self._topics[name]
        if value is None:
            return None  # a tombstone says that a key is gone
        record, problem = None, ""
        try:
            record = decode(value, topic.record)
        except CodecError as reason:
            problem = str(reason)
        return Told(
            topic=topic,
            partition=partition,
            offset=message.offset() or 0,
            timestamp_ms=message.timestamp()[1],
            value=value,
            record=record,
            problem=problem,
        )
