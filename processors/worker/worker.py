"""The stages over topics and tables: what a worker does.

Invariant: a record's offset is committed only after everything that follows from it (outputs and table changelogs) is
acknowledged by Kafka; so after ``kill -9`` it is read again or its effects are there. What fails here ends the process
at once, as ``kill -9`` would: nobody goes on with memory that is ahead of Kafka. Faust repeats, consumers drop repeats
by id. Faust's own ``exactly_once`` is not used: it does not cover topics that the app only writes.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clawstream.processors.rewards.scorer import Scorer
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.tables.changelogs import Changelogs
from clawstream.processors.worker.app import TP, Inbox, make_app, take_from
from clawstream.processors.worker.pipeline import GROUP, SOURCES, Pipeline, now_ms
from clawstream.processors.worker.positions import Positions
from clawstream.processors.worker.scoring import Scored
from clawstream.streams.cluster.growth import require_as_made
from clawstream.streams.process.shutdown import or_exit
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer

_BATCH_SECONDS = 0.01


class Worker:
    """One Faust app, its tables, its timer, and its part of the partitions."""

    def __init__(
        self,
        settings: ProcessorsSettings,
        kafka: KafkaSettings,
        producer: Producer,
        folder: Path,
        scorers: Sequence[Scorer] = (),
    ) -> None:
        self._settings, self._kafka = settings, kafka
        require_as_made(kafka)
        self._positions = Positions(kafka, GROUP, SOURCES)
        self._changelogs = Changelogs(kafka, GROUP, self._positions.partitions)
        self._pipeline = Pipeline(settings, kafka, producer, self._positions, self._changelogs.table, scorers)
        self.app = make_app(GROUP, kafka, folder)
        self._waiting: Inbox = asyncio.Queue(2 * settings.batch_records)
        self._one_at_a_time = asyncio.Lock()
        for topic in SOURCES:
            take_from(self.app, kafka.name(topic.name), self._waiting)
        self.app.task(self._work)
        self.app.task(self._collect)
        self.app.timer(interval=settings.tick_seconds)(self._tick)
        self.app.on_partitions_revoked.connect(self._revoked)
        self.app.on_partitions_assigned.connect(self._assigned)
        self.app.on_rebalance_complete.connect(self._ready)

    async def _work(self) -> None:
        """Handle what was read, in batches, for as long as the app lives."""
        while True:
            batch = [await self._waiting.get()]
            await asyncio.sleep(_BATCH_SECONDS)
            self._fill(batch, self._waiting)
            async with self._one_at_a_time:
                await self._take([message for message in batch if self._is_ours(message)])

    async def _collect(self) -> None:
        """Handle what reward processors gave, for as long as the app lives."""
        results = self._pipeline.scoring.results
        while True:
            batch = [await results.get()]
            self._fill(batch, results)
            async with self._one_at_a_time:
                await self._take_scores(batch)

    def _fill(self, batch: list[Any], waiting: "asyncio.Queue[Any]") -> None:
        while len(batch) < self._settings.batch_records and not waiting.empty():
            batch.append(waiting.get_nowait())

    def _is_ours(self, message: Any) -> bool:
        """Was it read under the present assignment? What was read before is read again, perhaps by another worker."""
        current: int = self.app.consumer_generation_id
        return bool(self.app.flow_control.is_active()) and message.generation_id == current

    @or_exit
    async def _take(self, messages: list[Any]) -> None:
        """Commit, once all that follows from them is acknowledged."""
        await self._pipeline.take(messages)
        for message in messages:
            if self._is_ours(message):
                message.ack(self.app.consumer)
                self._pipeline.took(message)

    @or_exit
    async def _take_scores(self, batch: list[Scored]) -> None:
        await self._pipeline.take_scores(batch)

    @or_exit
    async def _tick(self) -> None:
        """Close what is due."""
        if self.app.rebalancing:
            return
        async with self._one_at_a_time:  # a batch keeps its changes at its end
            await self._pipeline.recover()
        if not self._pipeline.has_more:
            return
        await self._positions.observe_ends(now_ms())
        async with self._one_at_a_time:
            await self._pipeline.close_due()

    async def _revoked(self, *_: Any, **__: Any) -> None:
        """Let go of partitions only when nothing is in progress; what waits is read again by whoever is next."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._pipeline.scoring.forget()
        self._changelogs.let_go()
        async with self._one_at_a_time:
            self._positions.let_go()
            self._pipeline.let_go()

    @or_exit
    async def _assigned(self, _: Any, assigned: set[TP], **__: Any) -> None:
        self._pipeline.let_go()
        self._positions.assign(assigned)

    @or_exit
    async def _ready(self, *_: Any, **__: Any) -> None:
        """Faust reads nothing before this returns."""
        if await self._changelogs.restore(self._positions.assigned):
            await self._positions.start(self.app.consumer)
