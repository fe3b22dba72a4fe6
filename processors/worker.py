"""The stages over topics and tables: what a worker does.

Invariant: a record's offset is committed only after everything that follows from it (outputs and table changelogs) is
acknowledged by Kafka; so after ``kill -9`` it is read again or its effects are there. What fails here ends the process
at once, as ``kill -9`` would: nobody goes on with memory that is ahead of Kafka. Faust repeats, consumers drop repeats
by id. Faust's own ``exactly_once`` is not used: it does not cover topics that the app only writes.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clawstream.processors.app import CHANGELOG, TP, Inbox, PartitionedTable, make_app, take_from
from clawstream.processors.assembly import TrajectoryState
from clawstream.processors.grouping import GroupState
from clawstream.processors.metrics import OPEN, REMEMBERED
from clawstream.processors.output import Output
from clawstream.processors.positions import Positions
from clawstream.processors.rewards.scorer import Scorer
from clawstream.processors.scoring import Scored, Scoring
from clawstream.processors.sending import Change, Sender
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.stages import Due, Groups, Trajectories
from clawstream.processors.tables import Kept, owner_of
from clawstream.processors.versions import NewestVersion
from clawstream.schemas import CodecError, Feedback, Record, Step, Trajectory, decode, encode
from clawstream.streams.dead import DeadLetters, Letter
from clawstream.streams.metrics import RECORDS_CONSUMED
from clawstream.streams.producer import Producer
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.shutdown import or_exit
from clawstream.topics import FEEDBACK, REWARDS, STEPS, TRAJECTORIES, Topic

_log = logging.getLogger(__name__)
APP_ID = "processors"
_BATCH_SECONDS = 0.01
_SOURCES = (STEPS, FEEDBACK, TRAJECTORIES)


class Worker:
    """One Faust app with its agents, tables and timer."""

    def __init__(
        self,
        settings: ProcessorsSettings,
        kafka: KafkaSettings,
        producer: Producer,
        folder: Path,
        scorers: Sequence[Scorer] = (),
    ) -> None:
        self._settings, self._kafka = settings, kafka
        self._sender, self._dead = Sender(producer), DeadLetters(kafka, producer, APP_ID)
        self._positions = Positions(kafka, APP_ID, _SOURCES)
        self.app = make_app(APP_ID, kafka, self._positions.partitions, folder)
        self._tables = [self._table(name) for name in ("trajectories", "steps", "groups", "members")]
        trajectories, steps, groups, members = self._tables
        self._trajectories = Trajectories(Kept(trajectories, steps, TrajectoryState, Step), settings, scorers)
        self._newest = NewestVersion(kafka) if settings.max_policy_lag >= 0 else None
        self._scoring = Scoring(self._trajectories.subject)
        self._groups = Groups(Kept(groups, members, GroupState, Trajectory), settings)
        self._topics = {kafka.name(topic.name): topic for topic in _SOURCES}
        self._waiting: Inbox = asyncio.Queue(2 * settings.batch_records)
        self._consumed = {topic.name: RECORDS_CONSUMED.labels(topic.name) for topic in _SOURCES}
        self._one_at_a_time = asyncio.Lock()
        self._indexed = False
        for topic in _SOURCES:
            take_from(self.app, kafka.name(topic.name), self._waiting)
        self.app.task(self._work)
        self.app.task(self._collect)
        self.app.timer(interval=settings.tick_seconds)(self._tick)
        self.app.on_partitions_revoked.connect(self._revoked)
        self.app.on_partitions_assigned.connect(self._assigned)
        self.app.on_rebalance_complete.connect(self._ready)

    def _table(self, name: str) -> Any:
        table = PartitionedTable(
            self.app,
            name=name,
            partitions=self._positions.partitions,
            key_type=bytes,
            value_type=bytes,
            extra_topic_configs=CHANGELOG
            | {
                "max.message.bytes": str(2 * self._kafka.max_record_bytes),
                "segment.bytes": str(8 * self._kafka.max_record_bytes),
            },
        )
        return self.app.tables.add(table)

    async def _work(self) -> None:
        """Handle what was read, in batches, for as long as the app lives."""
        while True:
            batch = [await self._waiting.get()]
            await asyncio.sleep(_BATCH_SECONDS)
            while len(batch) < self._settings.batch_records and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            async with self._one_at_a_time:
                await self._take([message for message in batch if self._is_ours(message)])

    async def _collect(self) -> None:
        """Handle what reward processors gave, for as long as the app lives."""
        while True:
            batch = [await self._scoring.results.get()]
            while len(batch) < self._settings.batch_records and not self._scoring.results.empty():
                batch.append(self._scoring.results.get_nowait())
            async with self._one_at_a_time:
                await self._take_scores(batch)

    @or_exit
    async def _take_scores(self, batch: list[Scored]) -> None:
        """Keep rewards, then send them: a judge that is asked again may say something else."""
        outputs = []
        for scored in batch:
            self._scoring.finished(scored.reward.reward_id)
            if not self._indexed or self._positions.settled_ms(owner_of(scored.key), (STEPS, FEEDBACK)) is None:
                continue  # whoever has the partition now asks again
            outputs += self._trajectories.on_score(scored.key, scored.reward).outputs
            if scored.failure is not None:
                letter = Letter(partition=-1, offset=-1, key=owner_of(scored.key), value=encode(scored.reward))
                await asyncio.to_thread(self._dead.bury, REWARDS, letter, scored.failure)
        await self._acknowledged()
        await self._sender.outputs(outputs)

    def _is_ours(self, message: Any) -> bool:
        """Was it read under the present assignment? What was read before is read again, perhaps by another worker."""
        current: int = self.app.consumer_generation_id
        return bool(self.app.flow_control.is_active()) and message.generation_id == current

    @or_exit
    async def _take(self, messages: list[Any]) -> None:
        """Handle records in order; acknowledge them once all that follows from them is acknowledged.

        States are changed in memory at once, and kept after the outputs that they follow from are acknowledged.
        """
        outputs = list[Output]()
        for message in messages:
            topic = self._topics[message.topic]
            self._positions.expect(topic, message)
            try:
                record = self._read(topic, message)
            except CodecError as error:
                await self._bury(topic, message, str(error))
                continue
            due = self._apply(record, message.value, _now_ms())
            outputs += due.outputs
            due.settle()
            self._consumed[topic.name].inc()
        await self._sender.outputs(outputs)
        await self._acknowledged()
        for message in messages:
            if self._is_ours(message):
                message.ack(self.app.consumer)
                self._positions.took(self._topics[message.topic], message)

    async def _bury(self, topic: Topic[Any], message: Any, why: str) -> None:
        letter = Letter(partition=message.partition, offset=message.offset, key=message.key, value=message.value)
        await asyncio.to_thread(self._dead.bury, topic, letter, why)

    def _read(self, topic: Topic[Any], message: Any) -> Record:
        """The record. Raises ``CodecError`` also when its key lies in another partition."""
        if message.value is None:
            raise CodecError(f"a tombstone is no {topic.record.__name__}")
        record: Record = decode(message.value, topic.record)
        owner = topic.key(record).encode()
        if (home := self._positions.partition_of(owner)) != message.partition:
            raise CodecError(f"its key {owner.decode()!a:.80} belongs to partition {home}, not {message.partition}")
        return record

    def _apply(self, record: Record, raw: bytes, now_ms: int) -> Due:
        match record:
            case Step():
                return self._trajectories.on_step(record, raw, now_ms)
            case Feedback():
                return self._trajectories.on_feedback(record, now_ms)
            case Trajectory():
                return self._groups.on_trajectory(record, raw, now_ms)
        raise TypeError(f"no stage takes a {type(record).__name__}")

    @or_exit
    async def _tick(self) -> None:
        """Close what is due."""
        if self.app.rebalancing or self.app.tables.recovery.in_recovery:
            return
        if not self._indexed:
            async with self._one_at_a_time:  # what a batch has changed is in the tables then
                self._index()
                await self._sender.outputs(self._trajectories.unsent())
        most = self._settings.memory_trajectories
        kept = [stage.kept for stage in (self._trajectories, self._groups)]
        if not any(each.open_count or each.closed_count > most for each in kept):
            return
        await self._positions.observe_ends(_now_ms())
        async with self._one_at_a_time:
            if not self._indexed:
                return  # partitions were assigned anew meanwhile
            now_ms = _now_ms()
            await self._close_due("trajectories", self._trajectories, now_ms, STEPS, FEEDBACK)
            await self._close_due("groups", self._groups, now_ms, TRAJECTORIES)
        for key, job in self._trajectories.take_jobs():
            self._scoring.want(key, job)

    async def _close_due(self, what: str, stage: Trajectories | Groups, now_ms: int, *topics: Topic[Any]) -> None:
        def settled(owner: bytes) -> int | None:
            return self._positions.settled_ms(owner, topics)

        stage.newest_version = self._newest.value if self._newest else None
        stage.decide(now_ms, settled)
        await self._acknowledged()
        due = stage.due(settled)
        await self._sender.outputs(due.outputs)
        due.settle()
        await self._acknowledged()
        due.clean_up()
        stage.forget_old(now_ms - round(1000 * self._settings.memory_seconds), settled)
        await self._acknowledged()
        OPEN.labels(what).set(stage.kept.open_count)
        REMEMBERED.labels(what).set(stage.kept.closed_count)

    def _index(self) -> None:
        """Take up what the tables say, after partitions were assigned."""
        self._indexed = True
        for stage in (self._trajectories, self._groups):
            stage.kept.index()

    async def _revoked(self, *_: Any, **__: Any) -> None:
        """Let go of partitions only when nothing is in progress; what waits is read again by whoever is next."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._scoring.forget()
        async with self._one_at_a_time:
            self._positions.let_go()
            self._indexed = False

    async def _assigned(self, _: Any, assigned: set[TP], **__: Any) -> None:
        self._indexed = False
        self._scoring.forget()
        for stage in (self._trajectories, self._groups):
            stage.kept.forget_index()
        self._positions.assign(assigned)

    async def _ready(self, *_: Any, **__: Any) -> None:
        await self._positions.start(self.app.consumer)

    async def _acknowledged(self) -> None:
        """Return once every table change so far is acknowledged."""
        for stage in (self._trajectories, self._groups):
            stage.kept.flush()
        changes: list[tuple[str, Change]] = []
        for table in self._tables:
            changed, table.changed = table.changed, {}
            name = table.changelog_topic.get_topic_name()
            changes += [
                (name, (self._positions.partition_of(owner_of(key)), key, value)) for key, value in changed.items()
            ]
        await self._sender.changes(changes)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
