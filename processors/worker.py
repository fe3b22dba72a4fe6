"""The stages on Faust: the one file that knows it.

Invariant: a record's offset is committed only after everything that follows from it (outputs and table changelogs) is
acknowledged by Kafka; so after ``kill -9`` it is read again or its effects are there. What fails here ends the process
at once, as ``kill -9`` would: nobody goes on with memory that is ahead of Kafka. Faust repeats, consumers drop repeats
by id. Faust's own ``exactly_once`` is not used: it does not cover topics that the app only writes.
"""

import asyncio
import functools
import logging
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import faust
from faust.types import TP

from clawstream.processors.assembly import TrajectoryState
from clawstream.processors.fences import Fences
from clawstream.processors.grouping import GroupState
from clawstream.processors.metrics import OPEN, OUTPUTS, REJECTIONS, REMEMBERED
from clawstream.processors.output import Output
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.stages import Due, Groups, Trajectories
from clawstream.processors.tables import Kept, owner_of
from clawstream.schemas import CodecError, Feedback, Rejection, Step, Trajectory, decode, encode
from clawstream.streams.dead import dead_headers
from clawstream.streams.lag import LagReader
from clawstream.streams.metrics import DEAD_LETTERS, RECORDS_CONSUMED
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import FEEDBACK, STEPS, TRAJECTORIES, Topic, partition_of

_log = logging.getLogger(__name__)
APP_ID = "processors"
_BATCH_SECONDS = 0.02
_SOURCES = (STEPS, FEEDBACK, TRAJECTORIES)
_RAW = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}


def _or_exit(work: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """End the process when ``work`` fails. Faust would go on: it acknowledges what an agent failed at."""

    @functools.wraps(work)
    async def guarded(*args: Any) -> None:
        try:
            await work(*args)
        except Exception:
            _log.exception("this worker cannot go on, and ends; what it had not finished is read again")
            logging.shutdown()
            os._exit(1)

    return guarded


class PartitionedTable(faust.Table):
    """A table whose keys lie in the partition of their owner, also when a timer changes them.

    Faust takes the partition from the event being handled, and refuses changes outside of one.
    """

    unacknowledged: list[Awaitable[Any]]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.unacknowledged = []

    def partition_for_key(self, key: Any) -> int:
        """The partition that the owner's events come from."""
        return partition_of(owner_of(key), self.app.conf.topic_partitions)

    def send_changelog(self, *args: Any, **options: Any) -> Any:
        """Send a change, and remember it until it is acknowledged."""
        sent = super().send_changelog(*args, **options)
        self.unacknowledged.append(sent)
        return sent


class Worker:
    """One Faust app with its agents, tables and timer."""

    def __init__(self, settings: ProcessorsSettings, kafka: KafkaSettings, folder: Path) -> None:
        self._settings, self._kafka = settings, kafka
        self._lags = LagReader(kafka)
        self._partitions = self._lags.partition_count(_SOURCES)
        self.app = _app(kafka, self._partitions, folder)
        self._tables = [self._table(name) for name in ("trajectories", "steps", "groups", "members")]
        trajectories, steps, groups, members = self._tables
        self._trajectories = Trajectories(Kept(trajectories, steps, TrajectoryState, Step), settings)
        self._groups = Groups(Kept(groups, members, GroupState, Trajectory), settings)
        self._fences: dict[str, Fences] = {topic.name: Fences() for topic in _SOURCES}
        self._one_at_a_time = asyncio.Lock()
        self._indexed = False
        for topic in _SOURCES:
            source = self.app.topic(kafka.name(topic.name), **_RAW)
            self.app.agent(source, name=f"take-{topic.name}")(self._agent(topic))
        self.app.timer(interval=settings.tick_seconds)(self._tick)
        self.app.on_partitions_revoked.connect(self._revoked)
        self.app.on_partitions_assigned.connect(self._assigned)

    def _table(self, name: str) -> Any:
        table = PartitionedTable(
            self.app,
            name=name,
            partitions=self._partitions,
            key_type=bytes,
            value_type=bytes,
            extra_topic_configs={"max.message.bytes": str(2 * self._kafka.max_record_bytes)},
        )
        return self.app.tables.add(table)

    def _agent(self, topic: Topic[Any]) -> Any:
        async def take(stream: Any) -> None:
            async for events in stream.noack_take(self._settings.batch_records, within=_BATCH_SECONDS):
                async with self._one_at_a_time:
                    await self._take(topic, [event for event in events if self._is_ours(event)])

        return take

    def _is_ours(self, event: Any) -> bool:
        """Was it read under the present assignment? What was read before is read again, perhaps by another worker."""
        return self.app.flow_control.is_active() and event.message.generation_id == self.app.consumer_generation_id

    @_or_exit
    async def _take(self, topic: Topic[Any], events: list[Any]) -> None:
        """Handle records in order; acknowledge them once all that follows from them is acknowledged."""
        now_ms = _now_ms()
        for event in events:
            message = event.message
            try:
                due = self._apply(topic, message.value, now_ms)
            except CodecError as error:
                await self._bury(topic, message, str(error))
                continue
            await self._emit(due.outputs)
            due.settle()
            RECORDS_CONSUMED.labels(topic.name).inc()
        await self._acknowledged()
        for event in events:
            event.ack()
            self._fences[topic.name].took(event.message.partition, event.message.offset)

    def _apply(self, topic: Topic[Any], raw: bytes, now_ms: int) -> Due:
        record = decode(raw, topic.record)
        match record:
            case Step():
                return self._trajectories.on_step(record, raw, now_ms)
            case Feedback():
                return self._trajectories.on_feedback(record, now_ms)
            case Trajectory():
                return self._groups.on_trajectory(record, raw, now_ms)
        raise CodecError(f"no stage takes a {type(record).__name__}")

    @_or_exit
    async def _tick(self) -> None:
        """Close what is due."""
        if self.app.rebalancing or self.app.tables.recovery.in_recovery:
            return
        if not self._indexed:
            await self._index()
        if not any(stage.kept.open_items() for stage in (self._trajectories, self._groups)):
            return
        await self._observe_ends()
        async with self._one_at_a_time:
            now_ms = _now_ms()
            await self._close_due("trajectories", self._trajectories, now_ms, STEPS, FEEDBACK)
            await self._close_due("groups", self._groups, now_ms, TRAJECTORIES)

    async def _close_due(self, what: str, stage: Trajectories | Groups, now_ms: int, *topics: Topic[Any]) -> None:
        def settled(owner: bytes) -> int | None:
            return self._settled(owner, *topics)

        stage.decide(now_ms, settled)
        await self._acknowledged()
        due = stage.due(settled)
        await self._emit(due.outputs)
        due.settle()
        await self._acknowledged()
        due.clean_up()
        stage.forget_old(now_ms - round(1000 * self._settings.memory_seconds), settled)
        await self._acknowledged()
        OPEN.labels(what).set(len(stage.kept.open_items()))
        REMEMBERED.labels(what).set(stage.kept.closed_count)

    async def _index(self) -> None:
        """Take up what the tables and the committed offsets say, after partitions were assigned."""
        self._indexed = True
        committed = await asyncio.to_thread(self._lags.committed, APP_ID, _SOURCES)
        for name, fences in self._fences.items():
            fences.start(committed[name])
        for stage in (self._trajectories, self._groups):
            stage.kept.index()

    def _settled(self, owner: bytes, *topics: Topic[Any]) -> int | None:
        """Up to when ``owner``'s events have been taken from ``topics``; None when its partition is not ours."""
        partition = partition_of(owner, self._partitions)
        owned = self.app.consumer.assignment()
        if any(TP(self._kafka.name(topic.name), partition) not in owned for topic in topics):
            return None
        return min(self._fences[topic.name].settled_ms(partition) for topic in topics)

    async def _observe_ends(self) -> None:
        """Set and pass fences. Asks Kafka itself: the consumer's own idea of an end is as old as its last fetch."""
        now_ms = _now_ms()
        ends = await asyncio.to_thread(self._lags.ends, _SOURCES)
        for name, fences in self._fences.items():
            fences.observe(ends[name], now_ms)

    async def _revoked(self, *_: Any, **__: Any) -> None:
        """Let go of partitions only when nothing is in progress."""
        async with self._one_at_a_time:
            pass

    async def _assigned(self, *_: Any, **__: Any) -> None:
        self._indexed = False
        for stage in (self._trajectories, self._groups):
            stage.kept.forget_index()
        for fences in self._fences.values():
            fences.reset()

    async def _emit(self, outputs: list[Output]) -> None:
        """Send ``outputs`` and return once all are acknowledged."""
        sent = []
        for output in outputs:
            name, key = self._kafka.name(output.topic.name), output.topic.key(output.record).encode()
            producer = await self.app.maybe_start_producer()
            sent.append(await producer.send(name, key, encode(output.record), None, None, None))
            OUTPUTS.labels(output.topic.name).inc()
            if isinstance(output.record, Rejection):
                REJECTIONS.labels(output.record.reason).inc()
        await asyncio.gather(*sent)

    async def _acknowledged(self) -> None:
        """Return once every table change so far is acknowledged."""
        for table in self._tables:
            waiting, table.unacknowledged = table.unacknowledged, []
            for change in waiting:
                await change

    async def _bury(self, topic: Topic[Any], message: Any, reason: str) -> None:
        headers = dead_headers(topic.name, message.partition, message.offset, reason, APP_ID)
        packed = [(name, text.encode()) for name, text in headers.items()]
        producer = await self.app.maybe_start_producer()
        name = self._kafka.name(topic.dead)
        await (await producer.send(name, message.key, message.value, None, None, packed))
        DEAD_LETTERS.labels(topic.name).inc()
        _log.warning("dead letter: %s[%d]@%d: %s", topic.name, message.partition, message.offset, reason)


def _app(kafka: KafkaSettings, partitions: int, folder: Path) -> Any:
    brokers = [f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(",")]
    return faust.App(
        kafka.name(APP_ID),
        broker=brokers,
        datadir=str(folder),
        store="memory://",
        web_enabled=False,
        topic_partitions=partitions,
        topic_replication_factor=kafka.replication_factor,
        topic_disable_leader=True,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=2.0,
        broker_commit_interval=1.0,
        broker_max_poll_records=1000,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=kafka.max_record_bytes * 2,
        producer_acks=-1,
        producer_max_request_size=kafka.max_record_bytes * 2,
        stream_wait_empty=False,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
