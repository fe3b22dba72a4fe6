"""The end of a topic, as it is written on: raw records, in no group.

Invariant: nothing is decoded and nothing is kept here, so following a topic costs little; :meth:`Tail.reached` never
names an offset whose record has not been handed out.
"""

import asyncio
from typing import Any

import confluent_kafka as kafka
import msgspec
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from clawstream.streams.cluster.clients import admin_client
from clawstream.streams.errors import KafkaUnreachableError, StreamError
from clawstream.streams.reading.consumer import FOLLOWING, arrived, partitions_of, watermarks
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import Topic, partition_of

_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_TIMEOUT_SECONDS = 30.0
_BATCH = 500
_GATHERING = {"queued.max.messages.kbytes": 1, "fetch.queue.backoff.ms": 10}  # a fetch for each record costs much more


class RawRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record as it lies in the log."""

    partition: int
    offset: int
    timestamp_ms: int
    key: str
    value: bytes
    headers: dict[str, bytes]


class Tail:
    """Follows ``topic`` from at most ``max_records`` before the end of each partition."""

    def __init__(self, settings: KafkaSettings, topic: Topic[Any], max_records: int) -> None:
        self._name = settings.name(topic.name)
        self._client = kafka.Consumer(settings.client() | FOLLOWING | _GATHERING)
        self._admin = admin_client(settings.client())  # a client that polls blocks others
        partitions = partitions_of(self._client, self._name)
        self._handed: dict[int, int] = {}
        self._reached: dict[int, int] = {}
        starts = []
        for partition in partitions:
            low, high = watermarks(self._client, self._name, partition)
            self._reached[partition] = self._handed[partition] = max(low, high - max_records)
            starts.append(kafka.TopicPartition(self._name, partition, self._reached[partition]))
        self._client.assign(starts)

    def poll(self, timeout_seconds: float) -> list[RawRecord]:
        """Records that arrive within the time; perhaps none. Those handed out before count as reached from now on."""
        self._reached = dict(self._handed)
        messages = arrived(self._client, _BATCH, timeout_seconds)
        found = [record for message in messages if (record := self._take(message)) is not None]
        if not found:
            self._reached = dict(self._handed)
        return found

    def partition(self, key: str) -> int:
        """The partition in which records with ``key`` lie."""
        return partition_of(key.encode(), len(self._handed))

    def reached(self, partition: int) -> int:
        """Everything before this offset was handed out and taken in."""
        return self._reached[partition]

    async def end(self, partition: int) -> int:
        """The next offset that will be written, as the broker says now. Raises ``KafkaUnreachableError``."""
        try:
            try:
                return await self._ask(partition)
            except kafka.KafkaException as error:
                if error.args[0].code() != kafka.KafkaError.FENCED_LEADER_EPOCH:
                    raise
                await asyncio.to_thread(
                    self._admin.list_topics, timeout=_TIMEOUT_SECONDS
                )  # else it stays so for minutes
                return await self._ask(partition)
        except kafka.KafkaException as error:
            raise KafkaUnreachableError(f"the end of {self._name} is not known: {error.args[0]}") from error

    async def _ask(self, partition: int) -> int:
        place = kafka.TopicPartition(self._name, partition)
        asked = self._admin.list_offsets({place: _LATEST}, request_timeout=_TIMEOUT_SECONDS)[place]
        return int((await asyncio.wrap_future(asked)).offset)

    async def ends(self) -> dict[int, int]:
        """:meth:`end` of every partition."""
        found = await asyncio.gather(*(self.end(partition) for partition in self._handed))
        return dict(zip(self._handed, found, strict=True))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _take(self, message: kafka.Message) -> RawRecord | None:
        error, partition, offset = message.error(), message.partition() or 0, message.offset() or 0
        if error is not None:
            if error.code() == kafka.KafkaError._PARTITION_EOF:
                self._handed[partition] = max(self._handed[partition], offset)
            elif error.fatal():
                raise StreamError(f"topic {self._name} cannot be read any more: {error.str()}")
            return None  # librdkafka retries the others by itself
        self._handed[partition] = offset + 1
        key, value = message.key(), message.value()
        if not isinstance(key, bytes) or value is None:
            return None
        headers = {name: content for name, content in _headers(message) if isinstance(content, bytes)}
        return RawRecord(
            partition=partition,
            offset=offset,
            timestamp_ms=message.timestamp()[1],
            key=key.decode(errors="replace"),
            value=value,
            headers=headers,
        )


def _headers(message: kafka.Message) -> list[tuple[str, str | bytes | None]]:
    found = message.headers()
    return found if isinstance(found, list) else []
