"""Reward processors at work: several subjects at once, never more than configured, none behind another.

Invariant: whatever a reward processor does, its job ends with a reward, perhaps a null one that says why; nothing that
it raises gets out of here. What waits is a name alone: a subject is read when its turn comes.
"""

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from clawstream.processors.joins.combining import is_number
from clawstream.processors.metrics import SCORE_SECONDS, SCORED, SCORING
from clawstream.processors.readiness.jobs import Job
from clawstream.processors.rewards.retrying import patiently
from clawstream.processors.rewards.scorer import Scorer, UnscoredError
from clawstream.processors.rewards.subjects import Subject
from clawstream.schemas import Reward

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What a job came to."""

    key: bytes
    reward: Reward
    failure: str | None = None  # why it was given up, where it was; such a reward goes to the dead letters too


SubjectOf = Callable[[bytes, Job], Subject | None]  # None: it is not here any more


class Scoring:
    """Runs jobs; results wait in ``results``."""

    def __init__(self, subject_of: SubjectOf) -> None:
        self._subject_of = subject_of
        self.results: asyncio.Queue[Scored] = asyncio.Queue()
        self._known: set[str] = set()  # reward ids of jobs that wait or run
        self._waiting: dict[str, deque[tuple[bytes, Job]]] = defaultdict(deque)  # by scorer
        self._running: dict[str, set[asyncio.Task[None]]] = defaultdict(set)

    def want(self, key: bytes, job: Job) -> None:
        """Do ``job``, unless it is being done."""
        if job.reward_id not in self._known:
            self._known.add(job.reward_id)
            self._waiting[job.scorer.name].append((key, job))
            self._start(job.scorer)

    def finished(self, reward_id: str) -> None:
        """The result was taken: the same job may be wanted again."""
        self._known.discard(reward_id)

    def forget(self) -> None:
        """Partitions were taken away: all that waits and runs is somebody else's now."""
        for tasks in self._running.values():
            for task in tasks:
                task.cancel()
        self._running.clear()
        self._waiting.clear()
        self._known.clear()
        while not self.results.empty():
            self.results.get_nowait()

    def _start(self, scorer: Scorer) -> None:
        waiting, running = self._waiting[scorer.name], self._running[scorer.name]
        while waiting and len(running) < scorer.concurrency:
            task = asyncio.ensure_future(self._run(*waiting.popleft()))
            running.add(task)
            task.add_done_callback(lambda done: self._done(scorer, done))
        SCORING.labels(scorer.name, "waiting").set(len(waiting))
        SCORING.labels(scorer.name, "running").set(len(running))

    def _done(self, scorer: Scorer, task: asyncio.Task[None]) -> None:
        self._running[scorer.name].discard(task)
        if not task.cancelled():
            self._start(scorer)

    async def _run(self, key: bytes, job: Job) -> None:
        subject = self._subject_of(key, job)
        if subject is None:
            self._known.discard(job.reward_id)
            return
        self.results.put_nowait(await scored(key, job, subject))


async def scored(key: bytes, job: Job, subject: Subject) -> Scored:
    """What ``job`` comes to."""
    scorer, began = job.scorer, time.perf_counter()
    reward, failure = subject.reward(None), None
    try:
        given = await patiently(lambda: scorer.score(subject), scorer.tries, scorer.timeout_seconds)
        reward = _as_reward(given, subject)
    except UnscoredError as error:
        failure = f"{scorer.name} failed: {error}"
        reward = msgspec.structs.replace(error.reward, value=None, unscored=failure)
    except Exception as error:  # a user's code may raise anything, and it must cost this one item
        failure = f"{scorer.name} failed: {type(error).__name__}: {error}"
        reward = subject.reward(None, unscored=failure)
    if failure:
        _log.warning("no reward for %s: %s", job.step_id or subject.trajectory_id, failure)
    outcome = "failed" if failure else "unscored" if reward.value is None else "scored"
    SCORED.labels(scorer.name, outcome).inc()
    SCORE_SECONDS.labels(scorer.name).observe(time.perf_counter() - began)
    named = msgspec.structs.replace(reward, reward_id=job.reward_id, source=scorer.name)
    return Scored(key=key, reward=named, failure=failure)


def _as_reward(given: object, subject: Subject) -> Reward:
    """What a reward processor returned, as a reward of ``subject``. Raises ``TypeError`` for anything else."""
    if given is None:
        return subject.reward(None, unscored="it had nothing to say")
    if isinstance(given, Reward):
        if given.value is not None and not is_number(given.value):
            raise TypeError(f"the value {given.value} is not finite")
        own = subject.reward(None)
        return msgspec.structs.replace(
            given,
            trajectory_id=own.trajectory_id,
            step_id=own.step_id,
            tenant=own.tenant,
            kind=own.kind,
            at=own.at,
        )
    try:
        value = float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TypeError(f"it returned {given!r:.100}, which is no number, reward or None") from None
    if not is_number(value):
        raise TypeError(f"the value {value} is not finite")
    return subject.reward(value)
