"""The stages over records, results and time, whoever brings them.

Invariant: what returns is acknowledged by Kafka: outputs and table changelogs. One method runs at a time, and
none after one that failed: whoever calls sees to both.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from clawstream.processors.metrics import OPEN, REMEMBERED
from clawstream.processors.readiness.assembly import TrajectoryState
from clawstream.processors.readiness.grouping import GroupState
from clawstream.processors.readiness.output import Output
from clawstream.processors.rewards.scorer import Scorer
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.stages import Due, Groups, Trajectories
from clawstream.processors.tables.changelogs import LoggedTable
from clawstream.processors.tables.kept import Kept, owner_of
from clawstream.processors.worker.positions import Positions
from clawstream.processors.worker.scoring import Scored, Scoring
from clawstream.processors.worker.sending import Change, Sender
from clawstream.processors.worker.versions import NewestVersions
from clawstream.schemas import CodecError, Feedback, Record, Step, Trajectory, decode, encode
from clawstream.streams.process.metrics import RECORDS_CONSUMED
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.dead import DeadLetters, Letter
from clawstream.streams.writing.producer import Producer
from clawstream.topics import FEEDBACK, REWARDS, STEPS, TRAJECTORIES, Topic

SOURCES = (STEPS, FEEDBACK, TRAJECTORIES)
GROUP = "processors"  # of consumers, and the app


class Pipeline:
    """What one worker makes of what it reads."""

    def __init__(
        self,
        settings: ProcessorsSettings,
        kafka: KafkaSettings,
        producer: Producer,
        positions: Positions,
        make_table: Callable[[str], LoggedTable],
        scorers: Sequence[Scorer] = (),
    ) -> None:
        """``make_table``: a table by its name, partitioned as the sources are."""
        self._settings, self._kafka, self._positions = settings, kafka, positions
        self._sender, self._dead = Sender(producer), DeadLetters(kafka, producer, GROUP)
        self._tables = [make_table(name) for name in ("trajectories", "steps", "groups", "members")]
        trajectories, steps, groups, members = self._tables
        self._trajectories = Trajectories(Kept(trajectories, steps, TrajectoryState, Step), settings, scorers)
        self._groups = Groups(Kept(groups, members, GroupState, Trajectory), settings)
        self._stages = (self._trajectories, self._groups)
        self._newest = NewestVersions(kafka) if settings.max_policy_lag >= 0 else None
        self._topics = {kafka.name(topic.name): topic for topic in SOURCES}
        self._consumed = {topic.name: RECORDS_CONSUMED.labels(topic.name) for topic in SOURCES}
        self._indexed = False
        self.scoring = Scoring(self._trajectories.subject)

    async def take(self, messages: list[Any]) -> None:
        """Handle records, as Faust has them, in order.

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
            due = self._apply(record, message.value, now_ms())
            outputs += due.outputs
            due.settle()
            self._consumed[topic.name].inc()
        await self._sender.outputs(outputs)
        await self._acknowledged()

    def took(self, message: Any) -> None:
        """``message`` has been taken, and is still this worker's."""
        self._positions.took(self._topics[message.topic], message)

    async def take_scores(self, batch: list[Scored]) -> None:
        """Keep rewards, then send them: a judge that is asked again may say something else."""
        outputs = []
        for scored in batch:
            self.scoring.finished(scored.reward.reward_id)
            if not self._indexed or not self._positions.owns(owner_of(scored.key), (STEPS, FEEDBACK)):
                continue  # whoever has the partition now asks again
            outputs += self._trajectories.on_score(scored.key, scored.reward).outputs
            if scored.failure is not None:
                letter = Letter(partition=-1, offset=-1, key=owner_of(scored.key), value=encode(scored.reward))
                await asyncio.to_thread(self._dead.bury, REWARDS, letter, scored.failure)
        await self._acknowledged()
        await self._sender.outputs(outputs)

    async def recover(self) -> None:
        """Go on with what the tables say, if partitions were assigned anew."""
        if not self._indexed:
            self._indexed = True
            for stage in self._stages:
                stage.kept.index()
            await self._sender.outputs(self._trajectories.unsent())

    @property
    def has_more(self) -> bool:
        """Is anything open, or more remembered than is wanted?"""
        most = self._settings.memory_trajectories
        return any(stage.kept.open_count or stage.kept.closed_count > most for stage in self._stages)

    async def close_due(self) -> None:
        """Decide, close and forget what it is time for, and say what reward processors must look at."""
        if not self._indexed:
            return  # partitions were assigned anew meanwhile
        at_ms = now_ms()
        await self._close_due("trajectories", self._trajectories, at_ms, STEPS, FEEDBACK)
        await self._close_due("groups", self._groups, at_ms, TRAJECTORIES)
        for key, job in self._trajectories.take_jobs():
            self.scoring.want(key, job)

    def let_go(self) -> None:
        """Partitions are about to change, and tables with them."""
        self._indexed = False
        self.scoring.forget()
        for stage in self._stages:
            stage.kept.forget_index()

    async def _close_due(self, what: str, stage: Trajectories | Groups, at_ms: int, *topics: Topic[Any]) -> None:
        @cache  # positions do not move meanwhile
        def settled_at(partition: int) -> int | None:
            return self._positions.settled_ms(partition, topics)

        def settled(owner: bytes) -> int | None:
            return settled_at(self._positions.partition_of(owner))

        stage.newest = self._newest.by_model if self._newest else {}
        stage.decide(at_ms, settled)
        await self._acknowledged()
        due = stage.due(settled)
        await self._sender.outputs(due.outputs)
        due.settle()
        await self._acknowledged()
        due.clean_up()
        stage.forget_old(at_ms - round(1000 * self._settings.memory_seconds), settled)
        await self._acknowledged()
        OPEN.labels(what).set(stage.kept.open_count)
        REMEMBERED.labels(what).set(stage.kept.closed_count)

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

    def _apply(self, record: Record, raw: bytes, at_ms: int) -> Due:
        match record:
            case Step():
                return self._trajectories.on_step(record, raw, at_ms)
            case Feedback():
                return self._trajectories.on_feedback(record, at_ms)
            case Trajectory():
                return self._groups.on_trajectory(record, raw, at_ms)
        raise TypeError(f"no stage takes a {type(record).__name__}")

    async def _acknowledged(self) -> None:
        """Return once every table change so far is acknowledged."""
        for stage in self._stages:
            stage.kept.flush()
        changes: list[tuple[str, Change]] = []
        for table in self._tables:
            changed, table.changed = table.changed, {}
            name = self._kafka.name(table.changelog)
            changes += [
                (name, (self._positions.partition_of(owner_of(key)), key, value)) for key, value in changed.items()
            ]
        await self._sender.changes(changes)


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
