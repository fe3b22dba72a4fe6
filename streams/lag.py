"""How far consumer groups are behind, in records.

Invariant: read from the cluster alone, so it is true also for a group whose processes are dead.
"""

from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from clawstream.streams.settings import KafkaSettings
from clawstream.topics import Topic

_TIMEOUT_SECONDS = 10.0


class LagReader:
    """Asks one cluster for lags; keep it, since each connection costs some milliseconds."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._client = AdminClient({"bootstrap.servers": settings.bootstrap_servers})

    def end_offsets(self, topic: Topic[Any]) -> dict[int, int]:
        """Next offset to be written, by partition."""
        name = self._settings.name(topic.name)
        described = self._client.list_topics(name, timeout=_TIMEOUT_SECONDS).topics[name]
        wanted = {TopicPartition(name, partition): OffsetSpec.latest() for partition in described.partitions}
        futures = self._client.list_offsets(wanted, request_timeout=_TIMEOUT_SECONDS)
        return {entry.partition: future.result().offset for entry, future in futures.items()}

    def lag(self, group: str, topic: Topic[Any]) -> int:
        """Records of ``topic`` that ``group`` has not committed yet; all of them for a group that never committed."""
        request = ConsumerGroupTopicPartitions(self._settings.name(group))
        future = self._client.list_consumer_group_offsets([request])[self._settings.name(group)]
        committed = {
            entry.partition: entry.offset
            for entry in future.result(timeout=_TIMEOUT_SECONDS).topic_partitions
            if entry.topic == self._settings.name(topic.name)
        }
        return sum(max(0, end - max(0, committed.get(p, 0))) for p, end in self.end_offsets(topic).items())
