"""``clawstream replay``: reward processors over history, to the terminal or into side topics.

Invariant: what comes out is what the processors would have given, had they been configured so then: the stages are the
same, and their clock is that of the events. The live topics are only read. Into topics, a replay that was killed goes
on where it was: what it had not marked as done is written again with the same ids, and consumers drop repeats::

    read ranges ──> groups in the order of their names ──> some at a time: process, send, acknowledged, mark as done
"""

import asyncio
import itertools
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import msgspec

from clawstream.processors.configured import configured
from clawstream.processors.offline import Outcome, process
from clawstream.processors.readiness.assembly import Event
from clawstream.processors.replay.history import READ, History, present
from clawstream.processors.replay.pacing import Pace
from clawstream.processors.replay.plan import plan_of
from clawstream.processors.replay.selection import Selection
from clawstream.processors.replay.side import Side
from clawstream.processors.rewards.scorer import Scorer
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.testing import line_of
from clawstream.streams.cluster.admin import wait_for_kafka
from clawstream.streams.process.progress import Watch, shown
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import NEXT_STATES, REJECTED, REWARDS, SAMPLES, TRAJECTORIES

_AT_ONCE = 16  # groups

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What is asked."""

    selection: Selection = field(default_factory=Selection)
    into: str = ""  # name of side topics; empty: rewards are printed
    rate: float = 0.0  # events a second, at most; 0: as fast as it goes
    save_to: str = ""  # a file for the events, for tests


class _Sink(Protocol):
    """Where outcomes go."""

    def take(self, outcomes: list[Outcome]) -> None:
        """Return once they are there."""


def run(settings: ProcessorsSettings, kafka: KafkaSettings, replay: Replay) -> int:
    """Replay, and return the exit status: 1 when a reward processor failed at any."""
    scorers = configured(settings)
    wait_for_kafka(kafka)
    with ExitStack() as stack:
        watch, folder = stack.enter_context(shown()), Path(stack.enter_context(TemporaryDirectory(prefix="replay-")))
        side = _side(stack, settings, kafka, replay) if replay.into else None
        sink = _Topics(stack, side.kafka) if side else _Lines({scorer.name for scorer in scorers})
        history = History(kafka, _ranges(kafka, side), replay.selection, folder, watch)
        groups = history.groups()
        if replay.save_to:
            groups = _saved(groups, stack.enter_context(Path(replay.save_to).open("wb")).write)
        mark = side.reached if side else _nowhere
        work = _Work(settings, scorers, sink, mark, Pace(replay.rate), watch)
        failures = asyncio.run(_run(groups, history.event_count, side.done if side else 0, work))
    return 1 if failures else 0


@dataclass(frozen=True)
class _Work:
    settings: ProcessorsSettings
    scorers: tuple[Scorer, ...]
    sink: _Sink
    mark: Callable[[int, float], None]  # groups done, share of the events
    pace: Pace
    watch: Watch


async def _run(groups: Iterator[list[Event]], events: int, done: int, work: _Work) -> int:
    """Replay all but the first ``done`` groups; how many subjects could not be scored."""
    failures, taken = 0, sum(map(len, itertools.islice(groups, done)))
    while some := list(itertools.islice(groups, _AT_ONCE)):
        outcomes = await asyncio.gather(*(process(group, work.scorers, work.settings) for group in some))
        work.sink.take(outcomes)
        done, taken = done + len(some), taken + sum(map(len, some))
        work.mark(done, taken / events)
        work.watch("replaying", taken, events)
        failures += sum(len(outcome.failures) for outcome in outcomes)
        await work.pace.took(sum(map(len, some)))
    return failures


class _Lines:
    """Rewards of the processors as lines of JSON."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def take(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            for reward in outcome.rewards:
                if reward.source in self._names:
                    sys.stdout.write(msgspec.json.encode(reward).decode() + "\n")


class _Topics:
    """Everything that the processors put out, into side topics."""

    def __init__(self, stack: ExitStack, kafka: KafkaSettings) -> None:
        self._kafka, self._producer, self._sent = kafka, Producer(kafka, "replay"), Counter[str]()
        stack.callback(self._tell)
        stack.callback(self._producer.close)

    def take(self, outcomes: list[Outcome]) -> None:
        batch = self._producer.batch()
        for outcome in outcomes:
            for topic, records in _by_topic(outcome):
                for record in records:
                    batch.send(topic, record)
                self._sent[self._kafka.name(topic.name)] += len(records)
        batch.sent().result()

    def _tell(self) -> None:
        _log.info("written: %s", ", ".join(f"{count} to {name}" for name, count in self._sent.items()) or "nothing new")


def _by_topic(outcome: Outcome) -> list[tuple[Any, list[Any]]]:
    return [
        (NEXT_STATES, outcome.next_states),
        (REWARDS, outcome.rewards),
        (TRAJECTORIES, outcome.trajectories),
        (SAMPLES, outcome.samples),
        (REJECTED, outcome.rejected),
    ]


def _side(stack: ExitStack, settings: ProcessorsSettings, kafka: KafkaSettings, replay: Replay) -> Side:
    side = Side(kafka, replay.into, READ, plan_of(settings, replay.selection))
    stack.callback(side.close)
    return side


def _ranges(kafka: KafkaSettings, side: Side | None) -> Mapping[str, Mapping[int, tuple[int, int]]]:
    """What is in the log now, or was when a replay into topics began."""
    if side is None:
        return present(kafka)
    return side.begun or side.begin(present(kafka))


def _nowhere(_done: int, _share: float) -> None:
    """Nothing is marked where rewards are only printed."""


def _saved(groups: Iterator[list[Event]], write: Callable[[bytes], Any]) -> Iterator[list[Event]]:
    for group in groups:
        for event in group:
            write(line_of(event))
        yield group
