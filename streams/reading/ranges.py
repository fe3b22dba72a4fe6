"""Exact ranges of a topic, in no group: what a dataset is built from, and what is replayed.

Invariant: every record of the ranges that is still in the log is handed out once, in order within its partition, and
none outside of them; what retention has taken away is an error, not a silent gap at the beginning.
"""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import confluent_kafka as kafka

from clawstream.streams.cluster.patience import patiently
from clawstream.streams.errors import KafkaUnreachableError, StreamError
from clawstream.streams.reading.consumer import FOLLOWING, arrived, partitions_of, watermarks
from clawstream.streams.settings import KafkaSettings

Ranges = Mapping[int, tuple[int, int]]  # by partition: first offset, and one past the last

_TIMEOUT_SECONDS = 30.0
_POLL_SECONDS = 0.2
_BATCH = 25  # records may be megabytes each
_QUEUED_KIB = 8 * 1024  # so that a reader's memory is bounded
_FETCHING = {
    "queued.max.messages.kbytes": _QUEUED_KIB,
    "fetch.max.bytes": _QUEUED_KIB * 1024,
    "fetch.queue.backoff.ms": 5,  # Kafka's own second of rest at each full queue would be most of a build
}
_PAST_THE_END = -1


_WRITTEN = re.compile(r"(?P<topic>[a-z-]+)\[(?P<partition>\d+)\]@(?P<start>\d+)-(?P<end>\d+)")


def read_range(text: str) -> tuple[str, int, int, int]:
    """A range as people write it, ``steps[0]@10-200``: topic, partition, first offset, one past the last.

    Raises ``ValueError``.
    """
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no range such as steps[0]@10-200")
    return found["topic"], int(found["partition"]), int(found["start"]), int(found["end"])


class RangeGoneError(StreamError):
    """Records that are not in the log any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A record as it lies in the log, and where."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class RangeReader:
    """Reads ranges of a topic; close it at the end."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        """``topic``: its bare name."""
        self._name = settings.name(topic)
        self._client = kafka.Consumer(settings.client(**_FETCHING) | FOLLOWING)
        self.partitions = partitions_of(self._client, self._name)

    def present(self, since: datetime | None = None, until: datetime | None = None) -> dict[int, tuple[int, int]]:
        """What is in the log now, of each partition that holds anything; by the times that Kafka's records carry."""
        found = {}
        starts = self._at(since) if since is not None else {}
        ends = self._at(until) if until is not None else {}
        for partition in self.partitions:
            low, high = watermarks(self._client, self._name, partition)
            start, end = starts.get(partition, low), ends.get(partition, high)
            start, end = (high if at == _PAST_THE_END else at for at in (start, end))
            if start < end:
                found[partition] = (start, end)
        return found

    def read(self, ranges: Ranges, silence_seconds: float = 30.0) -> Iterator[list[Placed]]:
        """All of ``ranges``, some records at a time.

        Raises ``RangeGoneError``, and ``KafkaUnreachableError`` after ``silence_seconds`` of nothing.
        """
        self._check(ranges)
        left = {partition: end for partition, (start, end) in ranges.items() if start < end}
        self._client.assign([kafka.TopicPartition(self._name, p, ranges[p][0]) for p in left])
        heard_at = time.monotonic()
        while left:
            messages = arrived(self._client, _BATCH, _POLL_SECONDS)
            found = [placed for message in messages if (placed := self._take(message, left)) is not None]
            if found:
                yield found
            if messages:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > silence_seconds:
                raise KafkaUnreachableError(f"topic {self._name}: Kafka said nothing for {silence_seconds:g} s")

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _take(self, message: kafka.Message, left: dict[int, int]) -> Placed | None:
        """The record, where it is one of the range; ``left`` loses a partition whose end it shows."""
        error, partition, offset = message.error(), message.partition() or 0, message.offset() or 0
        if error is not None:
            if error.code() == kafka.KafkaError._PARTITION_EOF:
                self._finish(partition, left)
            elif error.fatal():
                raise StreamError(f"topic {self._name} cannot be read: {error.str()}")
            return None
        if partition not in left or offset >= left[partition]:
            self._finish(partition, left)
            return None
        if offset == left[partition] - 1:
            self._finish(partition, left)
        key, timestamp_ms = message.key(), message.timestamp()[1]
        key = key if isinstance(key, bytes) else None
        return Placed(partition=partition, offset=offset, timestamp_ms=timestamp_ms, key=key, value=message.value())

    def _finish(self, partition: int, left: dict[int, int]) -> None:
        if left.pop(partition, None) is not None:
            self._client.incremental_unassign([kafka.TopicPartition(self._name, partition)])

    def _check(self, ranges: Ranges) -> None:
        for partition, (start, end) in ranges.items():
            low, high = watermarks(self._client, self._name, partition) if partition in self.partitions else (0, 0)
            if start < end and (start < low or end > high):
                raise RangeGoneError(
                    f"{self._name}[{partition}] holds offsets {low} to {high} and no longer all of {start} to {end}"
                )

    def _at(self, moment: datetime) -> dict[int, int]:
        at_ms = round(moment.timestamp() * 1000)
        asked = [kafka.TopicPartition(self._name, partition, at_ms) for partition in self.partitions]
        found = patiently(
            lambda: self._client.offsets_for_times(asked, timeout=_TIMEOUT_SECONDS), f"where {self._name} was {moment}"
        )
        return {entry.partition: max(entry.offset, _PAST_THE_END) for entry in found}
