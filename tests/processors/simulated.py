"""The stages over tables whose changes reach Kafka later than memory, as a changelog's do."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from clawstream.processors.readiness.assembly import TrajectoryState
from clawstream.processors.readiness.grouping import GroupState
from clawstream.processors.readiness.output import Output
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.stages import Due, Groups, Trajectories
from clawstream.processors.tables.kept import Kept
from clawstream.schemas import Feedback, Rejection, Sample, Step, Trajectory, encode
from clawstream.topics import TRAJECTORIES

SETTINGS = ProcessorsSettings(
    group_size=2, group_deadline_seconds=10, idle_seconds=100, max_age_seconds=1000, reward_deadline_seconds=20
)
LONG_MS = 2_000_000


class ChangeLogged(dict[bytes, bytes]):
    """A table in memory, and what of it survives."""

    def __init__(self) -> None:
        super().__init__()
        self.durable: dict[bytes, bytes] = {}

    def acknowledge(self) -> None:
        self.durable = dict(self)

    def crash(self) -> None:
        self.clear()
        self.update(self.durable)


@dataclass
class Worker:
    """Both stages, driven as the worker drives them; everything that reached Kafka."""

    tables: list[ChangeLogged] = field(default_factory=lambda: [ChangeLogged() for _ in range(4)])
    sent: list[Output] = field(default_factory=list)
    settings: ProcessorsSettings = SETTINGS

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        trajectories, steps, groups, members = self.tables
        self.trajectories = Trajectories(Kept(trajectories, steps, TrajectoryState, Step), self.settings)
        self.groups = Groups(Kept(groups, members, GroupState, Trajectory), self.settings)
        for stage in (self.trajectories, self.groups):
            stage.kept.index()

    def take(self, event: Any, now_ms: int) -> Due:
        """What follows from a record; not sent yet."""
        if isinstance(event, Step):
            return self.trajectories.on_step(event, encode(event), now_ms)
        if isinstance(event, Feedback):
            return self.trajectories.on_feedback(event, now_ms)
        return self.groups.on_trajectory(event, encode(event), now_ms)

    def taken(self, *events: Any, now_ms: int = 0) -> None:
        """Take records, send, acknowledge."""
        for event in events:
            due = self.take(event, now_ms)
            self.send(due.outputs)
            due.settle()
        self.acknowledge()

    def send(self, outputs: list[Output]) -> None:
        self.sent += outputs

    def acknowledge(self) -> None:
        self.flush()
        for table in self.tables:
            table.acknowledge()

    def flush(self) -> None:
        for stage in (self.trajectories, self.groups):
            stage.kept.flush()

    def crash(self) -> None:
        for table in self.tables:
            table.crash()
        self.start()

    def decided(self, stage: Trajectories | Groups, now_ms: int) -> Due:
        """What follows from what is closed now; not sent yet."""
        stage.decide(now_ms, lambda _: now_ms)
        self.acknowledge()
        return stage.due(lambda _: now_ms)

    def tick(self, now_ms: int) -> None:
        for stage in (self.trajectories, self.groups):
            due = self.decided(stage, now_ms)
            self.send(due.outputs)
            due.settle()
            self.acknowledge()
            due.clean_up()
            self.acknowledge()

    def finish(self, now_ms: int = LONG_MS) -> None:
        """Close everything; each trajectory that was told is read once more than it should be."""
        self.tick(now_ms)
        self.tick(now_ms + 1)  # an observation that names no step is attributed before its trajectory closes
        told = [output.record for output in self.sent if output.topic is TRAJECTORIES]
        self.taken(*told, *told, now_ms=now_ms)
        self.tick(now_ms + LONG_MS)

    def ends(self) -> Counter[str]:
        """Where each step ended, repeats dropped by id."""
        samples = {o.record.sample_id: o.record for o in self.sent if isinstance(o.record, Sample)}
        rejected = {o.record.rejection_id: o.record for o in self.sent if isinstance(o.record, Rejection)}
        counted = Counter(step_id for sample in samples.values() for step_id in sample.step_ids)
        counted.update(rejection.step_id for rejection in rejected.values())
        return counted


def rejections(worker: Worker) -> dict[str, str]:
    return {o.record.step_id: o.record.reason for o in worker.sent if isinstance(o.record, Rejection)}
