"""How far a job has come, kept by Kafka: committed offsets of a group that nobody joins, each with a note.

Invariant: a bookmark is written after what it says is true, so that whoever goes on from it misses nothing; the group
is seen by ``clawstream lag`` like any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import confluent_kafka as kafka

from clawstream.streams.errors import KafkaUnreachableError
from clawstream.streams.reading.consumer import partitions_of
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import Topic

_TIMEOUT_SECONDS = 30.0

Place = tuple[str, int]  # topic by its bare name, partition


@dataclass(frozen=True, kw_only=True)
class Bookmark:
    """Where a job is in a partition."""

    offset: int  # next one
    note: str = ""  # the job's own words, at most 4 KiB


class Bookmarks:
    """The bookmarks of one job; close it at the end."""

    def __init__(self, settings: KafkaSettings, group: str) -> None:
        """``group``: the job's name as a consumer group."""
        self._settings = settings
        self._client = kafka.Consumer(
            settings.client() | {"group.id": settings.name(group), "enable.auto.commit": False}
        )

    def read(self, topics: tuple[Topic[Any], ...]) -> dict[Place, Bookmark]:
        """All that are there."""
        names = {self._settings.name(topic.name): topic.name for topic in topics}
        asked = [kafka.TopicPartition(name, p) for name in names for p in partitions_of(self._client, name)]
        try:
            found = self._client.committed(asked, timeout=_TIMEOUT_SECONDS)
        except kafka.KafkaException as error:
            raise KafkaUnreachableError(f"bookmarks cannot be read: {error.args[0]}") from error
        return {
            (names[each.topic], each.partition): Bookmark(offset=each.offset, note=each.metadata or "")
            for each in found
            if each.offset >= 0
        }

    def write(self, bookmarks: Mapping[Place, Bookmark]) -> None:
        """Return once Kafka has them."""
        places = [
            kafka.TopicPartition(self._settings.name(topic), partition, mark.offset, metadata=mark.note)
            for (topic, partition), mark in bookmarks.items()
        ]
        try:
            self._client.commit(offsets=places, asynchronous=False)
        except kafka.KafkaException as error:
            raise KafkaUnreachableError(f"bookmarks cannot be written: {error.args[0]}") from error

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
