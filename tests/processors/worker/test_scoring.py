import asyncio
from typing import Any

import pytest

from clawstream.processors.readiness.jobs import Job
from clawstream.processors.rewards import Reward, Scorer, Subject, TryAgainError, retrying
from clawstream.processors.rewards.subjects import turns_of
from clawstream.processors.worker.scoring import Scoring, scored
from tests.builders import a_step


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_FIRST_PAUSE_SECONDS", 0.001)


class Scripted(Scorer):
    """Does what it is told, call by call; notes how many calls were under way at once."""

    def __init__(self, *script: Any, **options: Any) -> None:
        super().__init__("scripted", "step", **options)
        self.script, self.calls, self.running, self.most = list(script), 0, 0, 0
        self.release = asyncio.Event()

    async def score(self, subject: Subject) -> Reward | float | None:
        self.calls += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            act = self.script.pop(0) if self.script else 1.0
            if isinstance(act, Exception):
                raise act
            if act == "wait":
                await self.release.wait()
                return 1.0
            return float(act)
        finally:
            self.running -= 1


def turn(_: bytes, job: Job) -> Subject | None:
    step = a_step(step_id=job.step_id)
    return turns_of([step], None)[step.step_id]


def job(scorer: Scorer, number: int = 0) -> Job:
    return Job(f"r{number}", scorer, f"s{number}")


async def test_what_may_pass_is_tried_again() -> None:
    scorer = Scripted(TryAgainError("busy"), TryAgainError("busy"), 0.5)
    result = await scored(b"k", job(scorer), turn(b"k", job(scorer)))  # type: ignore[arg-type]
    assert (result.reward.value, result.failure, scorer.calls) == (0.5, None, 3)


async def test_what_takes_too_long_is_tried_again_and_then_given_up() -> None:
    scorer = Scripted("wait", "wait", tries=2, timeout_seconds=0.01)
    result = await scored(b"k", job(scorer), turn(b"k", job(scorer)))  # type: ignore[arg-type]
    assert result.reward.value is None
    assert result.failure == "scripted failed: TimeoutError: no answer within 0.01 s, 2 times"
    assert result.reward.unscored == result.failure


async def test_a_fault_is_not_tried_again() -> None:
    scorer = Scripted(ZeroDivisionError("oh"))
    result = await scored(b"k", job(scorer), turn(b"k", job(scorer)))  # type: ignore[arg-type]
    assert (result.failure, scorer.calls) == ("scripted failed: ZeroDivisionError: oh", 1)


async def test_several_are_under_way_and_never_more_than_configured() -> None:
    scorer = Scripted(*["wait"] * 20, concurrency=4)
    scoring = Scoring(turn)
    for number in range(20):
        scoring.want(b"k", job(scorer, number))
    await asyncio.sleep(0.01)
    assert (scorer.running, scoring.results.qsize()) == (4, 0)
    scorer.release.set()
    for _ in range(20):
        await scoring.results.get()
    assert (scorer.most, scorer.calls) == (4, 20)


async def test_one_that_hangs_holds_nobody_up() -> None:
    scorer = Scripted("wait", 1.0, 1.0, concurrency=2)
    scoring = Scoring(turn)
    for number in range(3):
        scoring.want(b"k", job(scorer, number))
    assert [(await scoring.results.get()).reward.reward_id for _ in range(2)] == ["r1", "r2"]


async def test_a_job_is_done_once_until_its_result_is_taken() -> None:
    scorer = Scripted()
    scoring = Scoring(turn)
    for _ in range(3):
        scoring.want(b"k", job(scorer))
    await scoring.results.get()
    scoring.want(b"k", job(scorer))
    await asyncio.sleep(0)
    assert scorer.calls == 1
    scoring.finished("r0")
    scoring.want(b"k", job(scorer))
    await scoring.results.get()
    assert scorer.calls == 2


async def test_what_was_taken_away_is_stopped_and_can_be_wanted_again() -> None:
    scorer = Scripted("wait", concurrency=1)
    scoring = Scoring(turn)
    for number in range(3):
        scoring.want(b"k", job(scorer, number))
    await asyncio.sleep(0.01)
    scoring.forget()
    await asyncio.sleep(0.01)
    assert (scorer.running, scorer.calls, scoring.results.qsize()) == (0, 1, 0)
    scoring.want(b"k", job(scorer, 1))
    assert (await scoring.results.get()).reward.reward_id == "r1"


async def test_a_subject_that_is_gone_costs_nothing() -> None:
    scorer = Scripted()
    scoring = Scoring(lambda *_: None)
    scoring.want(b"k", job(scorer))
    await asyncio.sleep(0.01)
    assert (scorer.calls, scoring.results.qsize()) == (0, 0)
