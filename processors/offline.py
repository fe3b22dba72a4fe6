"""The processors without Kafka: recorded steps and feedback in, everything that the processors make of them out.

Invariant: the stages are those of the worker, and the clock is that of the events, so the same events give the same
records, byte for byte; only what a judge says may differ.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from clawstream.processors.readiness.assembly import Event, TrajectoryState
from clawstream.processors.readiness.grouping import GroupState
from clawstream.processors.readiness.jobs import Job
from clawstream.processors.readiness.output import Output
from clawstream.processors.rewards.scorer import Scorer
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.stages import Groups, Trajectories
from clawstream.processors.tables.kept import Kept
from clawstream.processors.worker.scoring import scored
from clawstream.schemas import NextState, Rejection, Reward, Sample, Step, Trajectory, encode
from clawstream.topics import NEXT_STATES, REJECTED, REWARDS, SAMPLES, TRAJECTORIES


@dataclass
class Outcome:
    """What came out, in order."""

    next_states: list[NextState] = field(default_factory=list)
    rewards: list[Reward] = field(default_factory=list)
    trajectories: list[Trajectory] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)  # of reward processors, which would be dead letters

    def values(self, source: str) -> list[float | None]:
        """The values that ``source`` gave."""
        return [reward.value for reward in self.rewards if reward.source == source]


async def process(
    events: Iterable[Event], scorers: Sequence[Scorer] = (), settings: ProcessorsSettings | None = None
) -> Outcome:
    """Run ``events`` through the processors until everything has closed."""
    pipeline = _Pipeline(scorers, settings or ProcessorsSettings())
    ordered = sorted(events, key=_at_ms)
    for event in ordered:
        await pipeline.tick(_at_ms(event))
        pipeline.take(event, _at_ms(event))
    if ordered:
        await pipeline.finish(_at_ms(ordered[-1]))
    return pipeline.outcome


def _at_ms(event: Event) -> int:
    at = event.finished_at if isinstance(event, Step) else event.at
    return round(at.timestamp() * 1000)


class _Pipeline:
    """Both stages over tables in memory."""

    def __init__(self, scorers: Sequence[Scorer], settings: ProcessorsSettings) -> None:
        self.outcome, self._settings = Outcome(), settings
        self._trajectories = Trajectories(Kept({}, {}, TrajectoryState, Step), settings, scorers)
        self._groups = Groups(Kept({}, {}, GroupState, Trajectory), settings)
        self._into: dict[str, list[Any]] = {
            NEXT_STATES.name: self.outcome.next_states,
            REWARDS.name: self.outcome.rewards,
            TRAJECTORIES.name: self.outcome.trajectories,
            SAMPLES.name: self.outcome.samples,
            REJECTED.name: self.outcome.rejected,
        }

    def take(self, event: Event, now_ms: int) -> None:
        stage = self._trajectories
        due = (
            stage.on_step(event, encode(event), now_ms) if isinstance(event, Step) else stage.on_feedback(event, now_ms)
        )
        self._put_out(due.outputs, now_ms)
        due.settle()

    async def tick(self, now_ms: int) -> None:
        """All that is due at ``now_ms``."""
        self._trajectories.decide(now_ms, lambda _: now_ms)
        while jobs := self._trajectories.take_jobs():
            await self._score(jobs, now_ms)
            self._trajectories.decide(now_ms, lambda _: now_ms)
        for stage in (self._trajectories, self._groups):
            stage.decide(now_ms, lambda _: now_ms)
            due = stage.due(lambda _: now_ms)
            self._put_out(due.outputs, now_ms)
            due.settle()
            due.clean_up()

    async def finish(self, last_ms: int) -> None:
        """Time passes, deadline after deadline, until nothing is open."""
        settings, now_ms = self._settings, last_ms
        for seconds in (
            0.0,
            settings.gap_seconds,
            settings.reward_deadline_seconds,
            settings.idle_seconds,
            settings.reward_deadline_seconds,
            settings.max_age_seconds,
            settings.reward_deadline_seconds,
            settings.group_deadline_seconds,
        ):
            now_ms += round(1000 * seconds) + 1
            await self.tick(now_ms)
            await self.tick(now_ms)

    async def _score(self, jobs: list[tuple[bytes, Job]], now_ms: int) -> None:
        """Reward processors look at what is new."""
        subjects = ((key, job, self._trajectories.subject(key, job)) for key, job in jobs)
        limits = {job.scorer.name: asyncio.Semaphore(job.scorer.concurrency) for _, job in jobs}

        async def one(key: bytes, job: Any, subject: Any) -> None:
            async with limits[job.scorer.name]:
                result = await scored(key, job, subject)
            self._put_out(self._trajectories.on_score(key, result.reward).outputs, now_ms)
            self.outcome.failures += [result.failure] if result.failure else []

        await asyncio.gather(*(one(key, job, subject) for key, job, subject in subjects if subject is not None))

    def _put_out(self, outputs: list[Output], now_ms: int) -> None:
        for output in outputs:
            self._into[output.topic.name].append(output.record)
            if isinstance(output.record, Trajectory):
                due = self._groups.on_trajectory(output.record, encode(output.record), now_ms)
                self._put_out(due.outputs, now_ms)
                due.settle()
