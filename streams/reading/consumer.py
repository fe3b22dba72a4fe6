"""Typed consumers: one in a group, whose offsets the caller commits, and one that follows a whole topic.

Invariant: a record that cannot be read goes to ``<topic>.dead`` with its reason before anything after it is returned,
so it is neither lost nor in the way. Offsets are never committed behind the caller's back.
"""

import functools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import confluent_kafka as kafka

from clawstream.schemas import CodecError, Record, decode
from clawstream.streams.cluster.clients import UNUSED
from clawstream.streams.cluster.patience import patiently
from clawstream.streams.errors import KafkaUnreachableError, StreamError
from clawstream.streams.process.metrics import RECORDS_CONSUMED
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.dead import DeadLetters, Letter
from clawstream.topics import Topic

R = TypeVar("R", bound=Record)
Offsets = dict[int, int]  # next offset to read, by partition
OnAssign = Callable[[Sequence[int]], Offsets]  # partitions just assigned -> where to start, for those that are known

_log = logging.getLogger(__name__)
_POLL_SECONDS = 0.2
_FETCH_WAIT_MS = 500  # Kafka's own
_GROUP = {
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": 10_000,
}
FINAL = (
    kafka.KafkaError._FATAL,  # as when another member of its name has come: it does not say so by ``fatal()``
    kafka.KafkaError.UNKNOWN_TOPIC_OR_PART,
    kafka.KafkaError.TOPIC_AUTHORIZATION_FAILED,
    kafka.KafkaError.GROUP_AUTHORIZATION_FAILED,
)
FOLLOWING = {"group.id": UNUSED, "enable.auto.commit": False, "enable.partition.eof": True}  # in no group


@dataclass(frozen=True, slots=True, kw_only=True)
class Received(Generic[R]):
    """A record and where it stood in the log."""

    record: R
    partition: int
    offset: int
    timestamp_ms: int


class GroupConsumer(Generic[R]):
    """One member of a consumer group on one topic."""

    def __init__(
        self,
        settings: KafkaSettings,
        topic: Topic[R],
        group: str,
        dead: DeadLetters,
        *,
        on_assign: OnAssign | None = None,
        instance: str | None = None,
    ) -> None:
        """``on_assign`` may say where to start in newly assigned partitions; else the committed offset counts.

        ``instance`` names this member over restarts, so that one that was killed is replaced at once and not after the
        session's time-out; of two that live, Kafka stops the older.
        """
        self._name = settings.name(topic.name)
        self._topic, self._dead, self._start = topic, dead, on_assign or (lambda _: {})
        member = settings.client() | {"group.id": settings.name(group)}
        if instance is not None:
            member["group.instance.id"] = instance
        self._client = kafka.Consumer(member | _GROUP)
        self._client.subscribe([settings.name(topic.name)], on_assign=self._assigned)

    def consume(self, max_records: int, timeout_seconds: float) -> list[Received[R]]:
        """Up to ``max_records`` records that arrive within the time, in order within each partition."""
        messages = self._client.consume(max_records, timeout_seconds)
        return [received for message in messages if (received := _read(self._topic, message, self._dead)) is not None]

    def commit(self, offsets: Offsets) -> None:
        """Commit next offsets. Losing this call loses nothing where the caller keeps offsets of its own."""
        if offsets:
            positions = [kafka.TopicPartition(self._name, partition, offset) for partition, offset in offsets.items()]
            self._client.commit(offsets=positions, asynchronous=True)

    def lag(self) -> int:
        """Records between this member's position and the end of its partitions, from cached watermarks."""
        total = 0
        for position in self._client.position(self._client.assignment()):
            low, high = self._client.get_watermark_offsets(position, cached=True)
            start = position.offset if position.offset >= 0 else max(low, 0)
            total += max(0, high - start)
        return total

    def close(self) -> None:
        """Leave the group."""
        self._client.close()

    def _assigned(self, client: kafka.Consumer, assigned: list[kafka.TopicPartition]) -> None:
        known = self._start([entry.partition for entry in assigned])
        for entry in assigned:
            if entry.partition in known:
                entry.offset = known[entry.partition]
        client.incremental_assign(assigned)


class Follower(Generic[R]):
    """Reads a whole topic from its beginning, in no group; for compacted topics and for tools."""

    def __init__(
        self,
        settings: KafkaSettings,
        topic: Topic[R],
        dead: DeadLetters | None = None,
        *,
        fetch_wait_ms: int = _FETCH_WAIT_MS,
    ) -> None:
        """``fetch_wait_ms``: how long a broker that has nothing new waits before it says that this is the end."""
        self._topic, self._dead = topic, dead
        self._client = kafka.Consumer(settings.client(**{"fetch.wait.max.ms": fetch_wait_ms}) | FOLLOWING)
        self._client.assign(
            [
                kafka.TopicPartition(settings.name(topic.name), partition, kafka.OFFSET_BEGINNING)
                for partition in partitions_of(self._client, settings.name(topic.name))
            ]
        )
        self._behind = {entry.partition for entry in self._client.assignment()}

    @property
    def caught_up(self) -> bool:
        """True once the end of every partition has been seen."""
        return not self._behind

    def poll(self, timeout_seconds: float) -> list[Received[R]]:
        """Records that arrive within the time, as soon as there are any; perhaps none."""
        found = []
        for message in arrived(self._client, 500, timeout_seconds):
            error = message.error()
            if error is not None and error.code() == kafka.KafkaError._PARTITION_EOF:
                self._behind.discard(message.partition() or 0)
            elif (received := _read(self._topic, message, self._dead)) is not None:
                found.append(received)
        return found

    def to_end(self, silence_seconds: float = 30.0) -> Iterator[Received[R]]:
        """Every record up to the present end. Raises ``KafkaUnreachableError`` after ``silence_seconds`` of nothing."""
        heard_at, behind = time.monotonic(), len(self._behind)
        while not self.caught_up:
            found = self.poll(_POLL_SECONDS)
            yield from found
            if found or len(self._behind) < behind:
                heard_at, behind = time.monotonic(), len(self._behind)
            elif time.monotonic() - heard_at > silence_seconds:
                raise KafkaUnreachableError(f"topic {self._topic.name}: Kafka said nothing for {silence_seconds:g} s")

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def read_all(settings: KafkaSettings, topic: Topic[R]) -> list[R]:
    """Every record now in ``topic``, in order within each partition."""
    follower = Follower(settings, topic, fetch_wait_ms=10)
    try:
        return [received.record for received in follower.to_end()]
    finally:
        follower.close()


def arrived(client: kafka.Consumer, count: int, timeout_seconds: float) -> list[kafka.Message]:
    """At most ``count`` messages, as soon as there is one: ``consume`` alone waits for all of them."""
    first = client.poll(timeout_seconds)
    return [] if first is None else [first, *client.consume(count - 1, 0)]


def partitions_of(client: kafka.Consumer, topic: str, timeout_seconds: float = 30.0) -> list[int]:
    """The partitions of ``topic`` by its name on the cluster. Raises ``KafkaUnreachableError``."""
    try:
        described: Any = client.list_topics(topic, timeout=timeout_seconds).topics[topic]
    except kafka.KafkaException as error:
        raise KafkaUnreachableError(f"no Kafka broker answered in {timeout_seconds} s: {error.args[0]}") from error
    if described.error is not None:
        raise KafkaUnreachableError(f"topic {topic} cannot be read: {described.error}; clawstream topics creates it")
    return sorted(described.partitions)


def watermarks(client: kafka.Consumer, topic: str, partition: int, timeout_seconds: float = 10.0) -> tuple[int, int]:
    """Oldest offset and next offset to be written. Raises ``KafkaUnreachableError``."""
    place = kafka.TopicPartition(topic, partition)

    def ask() -> tuple[int, int]:
        found = client.get_watermark_offsets(place, timeout=timeout_seconds, cached=False)
        if found is None:
            raise TimeoutError(f"no answer in {timeout_seconds:g} s")
        low, high = found
        return low, high

    return patiently(ask, f"the end of {topic}")


def _read(topic: Topic[R], message: kafka.Message, dead: DeadLetters | None) -> Received[R] | None:
    error, partition, offset, value = message.error(), message.partition() or 0, message.offset() or 0, message.value()
    if error is not None:
        if error.fatal() or error.code() in FINAL:
            raise StreamError(f"topic {topic.name} cannot be read: {error.str()}")
        _tell_once(f"topic {topic.name}: {error.str()}; the client tries again by itself")
        return None
    if value is None:
        return None  # a tombstone says that a key is gone
    try:
        record = decode(value, topic.record)
    except CodecError as reason:
        if dead is not None:
            dead.bury(topic, Letter(partition=partition, offset=offset, key=message.key(), value=value), str(reason))
        else:
            _log.warning("left out, as it cannot be read: %s[%d]@%d: %s", topic.name, partition, offset, reason)
        return None
    RECORDS_CONSUMED.labels(topic.name).inc()
    return Received(record=record, partition=partition, offset=offset, timestamp_ms=message.timestamp()[1])


@functools.lru_cache(100)
def _tell_once(what: str) -> None:
    _log.warning(what)
