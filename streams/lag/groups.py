"""How far consumer groups are behind, in records.

Invariant: read from the cluster alone, so it is true also for a group whose processes are dead.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from clawstream.streams.cluster.clients import admin_client
from clawstream.streams.cluster.patience import patiently
from clawstream.streams.errors import StreamError
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import Topic

_TIMEOUT_SECONDS = 10.0
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]


class LagReader:
    """Asks one cluster for lags; keep it, since each connection costs some milliseconds."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._client = admin_client(settings.client())
        self._partitions: dict[str, list[int]] = {}
        self._observers: dict[str, Consumer] = {}

    def end_offsets(self, topic: Topic[Any]) -> dict[int, int]:
        """Next offset to be written, by partition."""
        return self.ends([topic])[topic.name]

    def ends(self, topics: Sequence[Topic[Any]]) -> dict[str, dict[int, int]]:
        """Next offset to be written, by partition, by topic's bare name; one request for all."""
        return self._offsets(topics, _LATEST)

    def oldest(self, topics: Sequence[Topic[Any]]) -> dict[str, dict[int, int]]:
        """Oldest offset that is still there, by partition, by topic's bare name."""
        return self._offsets(topics, _EARLIEST)

    def starts(self, group: str, topics: Sequence[Topic[Any]]) -> dict[str, dict[int, int]]:
        """Where ``group`` goes on: the offset that it has committed, or the oldest that is still there."""
        found, committed = self._offsets(topics, _EARLIEST), self.committed(group, topics)
        return {
            name: {partition: max(oldest, committed[name].get(partition, 0)) for partition, oldest in oldests.items()}
            for name, oldests in found.items()
        }

    def _offsets(self, topics: Sequence[Topic[Any]], which: OffsetSpec) -> dict[str, dict[int, int]]:
        names = {self._settings.name(topic.name): topic.name for topic in topics}
        wanted = {TopicPartition(name, partition): which for name in names for partition in self._partitions_of(name)}
        found: dict[str, dict[int, int]] = {topic.name: {} for topic in topics}
        for entry, offset in patiently(lambda: self._list(wanted), "how far topics reach").items():
            found[names[entry.topic]][entry.partition] = offset
        return found

    def partition_count(self, topics: Sequence[Topic[Any]]) -> int:
        """How many partitions ``topics`` have, as the cluster says. Raises ``StreamError`` when they differ.

        Settings only say how many a topic is created with; partitions can be added later.
        """
        counts = {topic.name: len(self._partitions_of(self._settings.name(topic.name))) for topic in topics}
        if len(set(counts.values())) != 1 or 0 in counts.values():
            found = ", ".join(f"{name} has {count}" for name, count in counts.items())
            raise StreamError(f"these topics must have the same number of partitions, at least one: {found}")
        return next(iter(counts.values()))

    def _list(self, wanted: dict[TopicPartition, OffsetSpec]) -> dict[TopicPartition, int]:
        futures = self._client.list_offsets(wanted, request_timeout=_TIMEOUT_SECONDS)
        return {entry: future.result().offset for entry, future in futures.items()}

    def _partitions_of(self, name: str) -> list[int]:
        if name not in self._partitions:
            described = self._client.list_topics(name, timeout=_TIMEOUT_SECONDS).topics[name]
            self._partitions[name] = list(described.partitions)
        return self._partitions[name]

    def committed(self, group: str, topics: Sequence[Topic[Any]]) -> dict[str, dict[int, int]]:
        """Offsets that ``group`` has committed, by partition, by topic's bare name; without those that it never did."""
        names = {self._settings.name(topic.name): topic.name for topic in topics}
        wanted = [TopicPartition(name, partition) for name in names for partition in self._partitions_of(name)]
        found: dict[str, dict[int, int]] = {topic.name: {} for topic in topics}
        ask = partial(self._observer(group).committed, wanted, timeout=_TIMEOUT_SECONDS)
        for entry in patiently(ask, f"what {group} has committed"):
            if entry.offset >= 0:
                found[names[entry.topic]][entry.partition] = entry.offset
        return found

    def _observer(self, group: str) -> Consumer:
        """A client that can ask for ``group``'s offsets and never joins it.

        An AdminClient could ask too, but librdkafka 2.16 crashes when the group's coordinator is just being elected.
        """
        if group not in self._observers:
            name = self._settings.name(group)
            self._observers[group] = Consumer(self._settings.client() | {"group.id": name, "enable.auto.commit": False})
        return self._observers[group]

    def lag(self, group: str, topic: Topic[Any]) -> int:
        """Records of ``topic`` that ``group`` has not committed yet; all of them for a group that never committed."""
        committed = self.committed(group, [topic])[topic.name]
        return sum(max(0, end - committed.get(p, 0)) for p, end in self.end_offsets(topic).items())
