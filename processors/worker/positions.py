"""Which partitions are this worker's, and up to when their events have been taken.

Invariant: a partition that is not this worker's now is settled at no time, so nothing of it is closed or put out here.
"""

import asyncio
import functools
from collections.abc import Iterable
from typing import Any

from clawstream.processors.worker.app import TP
from clawstream.processors.worker.fences import Fences
from clawstream.streams.errors import PartitionsAddedError
from clawstream.streams.lag.groups import LagReader
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import Topic, partition_of

_REMEMBERED_KEYS = 100_000


class Positions:
    """Of one member of ``group``, on topics that are partitioned alike."""

    def __init__(self, kafka: KafkaSettings, group: str, topics: tuple[Topic[Any], ...]) -> None:
        self._kafka, self._group, self._topics = kafka, group, topics
        self._lags = LagReader(kafka)
        self.partitions = self._lags.partition_count(topics)
        self._fences: dict[str, Fences] = {topic.name: Fences() for topic in topics}
        self._owned: frozenset[tuple[str, int]] = frozenset()  # topic and partition
        self.partition_of = functools.lru_cache(_REMEMBERED_KEYS)(lambda key: partition_of(key, self.partitions))

    def expect(self, topic: Topic[Any], message: Any) -> None:
        """``message`` is about to be taken. Raises ``GapError`` when one before it was left out."""
        self._fences[topic.name].expect(message.partition, message.offset)

    def took(self, topic: Topic[Any], message: Any) -> None:
        """``message`` has been taken, and all that follows from it is acknowledged."""
        self._fences[topic.name].took(message.partition, message.offset)

    @property
    def assigned(self) -> frozenset[int]:
        """This worker's partitions."""
        return frozenset(partition for _, partition in self._owned)

    def owns(self, owner: bytes, topics: Iterable[Topic[Any]]) -> bool:
        """Are ``owner``'s events in ``topics`` this worker's to take?"""
        return self._has(self.partition_of(owner), topics)

    def settled_ms(self, partition: int, topics: Iterable[Topic[Any]]) -> int | None:
        """Up to when the events of ``partition`` have been taken from ``topics``; None when it is not ours."""
        if not self._has(partition, topics):
            return None
        return min(self._fences[topic.name].settled_ms(partition) for topic in topics)

    def _has(self, partition: int, topics: Iterable[Topic[Any]]) -> bool:
        return all((topic.name, partition) in self._owned for topic in topics)

    async def observe_ends(self, now_ms: int) -> None:
        """Set and pass fences. Asks Kafka itself: the consumer's own idea of an end is as old as its last fetch."""
        ends = await asyncio.to_thread(self._lags.ends, self._topics)
        for name, fences in self._fences.items():
            fences.observe(ends[name], now_ms)

    def let_go(self) -> None:
        """Nothing is ours until the next assignment."""
        self._owned = frozenset()

    def assign(self, assigned: set[TP]) -> None:
        """What is ours from now on; where it begins is not known yet. Raises ``PartitionsAddedError`` for a partition
        that was not there at the start."""
        names = {self._kafka.name(topic.name): topic.name for topic in self._topics}
        for tp in assigned:
            if tp.topic in names and tp.partition >= self.partitions:
                raise PartitionsAddedError(tp.topic, self.partitions, "more now")
        self._owned = frozenset((names[tp.topic], tp.partition) for tp in assigned if tp.topic in names)
        for fences in self._fences.values():
            fences.start({})

    async def start(self, consumer: Any) -> None:
        """Go on after what was taken before, by whom ever. Faust does not go back where nothing was committed yet."""
        starts = await asyncio.to_thread(self._lags.starts, self._group, self._topics)
        for name, fences in self._fences.items():
            fences.start(starts[name])
        for name, partition in self._owned:
            await consumer.seek(TP(self._kafka.name(name), partition), starts[name][partition])
