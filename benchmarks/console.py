"""The console's index: records per second into it, and milliseconds of its pages when it is full.

    python -m benchmarks.console [--steps 1000000]

No Kafka: records go in as they would come from it, decoded from bytes, in batches of 1 000. A trajectory is four steps
of 1 KB, two rewards, its end and a sample; every 64 samples are one update. Pages are what the server does for one:
asking the index, decoding, and telling the story of a trajectory; none of it is cached between pages.
"""

import argparse
import itertools
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.report import percentiles, publish
from benchmarks.synthetic_records import completed, conversation
from clawstream.console.index.filters import Filter
from clawstream.console.index.reading import Reading
from clawstream.console.index.store import FILE, Index
from clawstream.console.pages.tokens import shown
from clawstream.console.stories.story import story
from clawstream.console.stories.tokens import tokens
from clawstream.schemas import (
    GroupStatistics,
    PolicySpan,
    Record,
    ResponseSpan,
    Reward,
    Sample,
    Sequence,
    Step,
    UpdateReport,
    decode,
    encode,
    new_id,
    now,
    pack_logprobs,
)
from clawstream.streams.reading.history import Told
from clawstream.topics import CATALOGUE

_TURNS, _STEP_BYTES, _SAMPLES_OF_UPDATE = 4, 1_000, 64
_BATCH = 1_000
_LOOKS = 50
_TOPICS = {topic.record: topic for topic in CATALOGUE}
_WORDS = [f"word{number}" for number in range(5_000)]


def records(steps: int) -> Iterator[Record]:
    """A loop's records, in order, until there are so many ``steps``."""
    chance, trained = random.Random(1), list[str]()
    for number in range(steps // _TURNS):
        name, group = f"t{number}", f"g{number // 8}"
        turns = [_worded(step, chance) for step in conversation(name, group, _TURNS, _STEP_BYTES)]
        yield from turns
        yield completed(name, group, float(number % 2))
        rewards = [_reward(name, None, float(number % 2)), _reward(name, turns[-1].step_id, 1.0)]
        yield from rewards
        sample = _sample(name, group, turns, rewards)
        yield sample
        trained.append(sample.sample_id)
        if len(trained) == _SAMPLES_OF_UPDATE:
            yield _update(1 + number // _SAMPLES_OF_UPDATE, trained)
            trained = []


def _worded(step: Step, chance: random.Random) -> Step:
    values = {name: getattr(step, name) for name in step.__struct_fields__}
    said = " ".join(chance.choices(_WORDS, k=60))
    return Step(**values | {"new_messages_json": f'[{{"role": "user", "content": "{said}"}}]'})


def _reward(trajectory_id: str, step_id: str | None, value: float) -> Reward:
    return Reward(
        reward_id=new_id(),
        trajectory_id=trajectory_id,
        step_id=step_id,
        tenant="default",
        value=value,
        source="rule",
        kind="outcome" if step_id is None else "process",
        at=now(),
    )


def _sample(trajectory_id: str, group_id: str, turns: list[Step], rewards: list[Reward]) -> Sample:
    spans, data, at = list[ResponseSpan](), b"", 0
    for step in turns:
        start = at + len(step.prompt_tokens) // 4
        at = start + len(step.response_tokens) // 4
        spans.append(ResponseSpan(step_id=step.step_id, start=start, end=at, temperature=1.0))
        data += step.prompt_tokens + step.response_tokens
    sequence = Sequence(
        tokens=data,
        logprobs=pack_logprobs([0.0] * at),
        responses=spans,
        policy_spans=[PolicySpan(version=0, start=0, end=at)],
    )
    return Sample(
        sample_id=new_id(),
        trajectory_id=trajectory_id,
        group_id=group_id,
        tenant="default",
        agent="",
        channel="train",
        step_ids=[step.step_id for step in turns],
        sequences=[sequence],
        reward=1.0,
        rewards=rewards,
        group=GroupStatistics(size=8, expected_size=8, reward_mean=0.5, reward_std=0.5, closed_by="complete"),
        logprobs_mode="processed_logprobs",
        ready_at=now(),
    )


def _update(version: int, sample_ids: list[str]) -> UpdateReport:
    return UpdateReport(
        update_id=f"u{version}",
        model="policy",
        version=version,
        parent=version - 1,
        algorithm="grpo",
        at=now(),
        sample_ids=sample_ids,
        discarded=[],
        response_token_count=1,
        reward_mean=0.5,
        policy_lag_mean=0.0,
        policy_lag_max=0,
        consumer_lag_records=0,
        seconds=1.0,
        metrics={"entropy": 1.0},
    )


def fill(index: Index, steps: int) -> tuple[int, float]:
    """Put everything in; how many records, and the seconds that decoding and indexing took."""
    count, seconds = 0, 0.0
    made = ((record, encode(record)) for record in records(steps))
    while batch := list(itertools.islice(made, _BATCH)):
        began = time.perf_counter()
        index.take([_told(type(record), value, count + n) for n, (record, value) in enumerate(batch)])
        seconds += time.perf_counter() - began
        count += len(batch)
    return count, seconds


def _told(kind: type[Record], value: bytes, offset: int) -> Told:
    topic, record = _TOPICS[kind], decode(value, kind)
    return Told(topic=topic, partition=0, offset=offset, timestamp_ms=0, value=value, record=record, problem="")


def looked(page: Callable[[], object]) -> dict[str, float]:
    """Percentiles of some looks at a page."""
    milliseconds = []
    for _ in range(_LOOKS):
        began = time.perf_counter()
        page()
        milliseconds.append(1000 * (time.perf_counter() - began))
    return percentiles(milliseconds)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        index = Index(Path(folder))
        count, seconds = fill(index, arguments.steps)
        mib = (Path(folder) / FILE).stat().st_size / 2**20
        reading, chance = Reading(index, "default"), random.Random(2)

        def trajectory() -> None:
            name = f"t{chance.randrange(arguments.steps // _TURNS)}"
            told = story(reading.records(name))
            outcomes = reading.outcomes([sample.sample_id for sample in told.samples])
            reading.trajectory(name)
            reading.updates_named({outcome.update_id for outcome in outcomes})
            for turn in told.turns:
                shown(tokens(turn.step, told.sample_of(turn.step.step_id), 2000), lambda _: "text")

        def listed(**wanted: str | float) -> Callable[[], object]:
            return lambda: reading.trajectories(Filter(**wanted), 50)  # type: ignore[arg-type]

        pages = {
            "list": looked(listed()),
            "list of one status": looked(listed(status="ready")),
            "list of what nobody has": looked(listed(agent="nobody")),
            "list by reward that nothing has": looked(listed(reward_min=2.0)),
            "list by reward": looked(listed(reward_min=1.0)),
            "search, one word": looked(lambda: reading.trajectories(Filter(text=chance.choice(_WORDS)), 50)),
            "search, a word that all have": looked(listed(text="answer")),
            "trajectory": looked(trajectory),
            "review queue": looked(lambda: reading.review_queue(50)),
            "overview": looked(lambda: (reading.counts(), reading.update_count())),
            "learning curves, after an update": looked(reading.updates),
        }
    rows = [
        ("records/s into the index (aim: 5 000)", f"{count / seconds:,.0f}"),
        ("steps in it", f"{arguments.steps:,}"),
        ("MiB of it", f"{mib:,.0f}"),
        *((f"{name}: p50, p99 in ms", f"{page['p50_ms']:.1f}, {page['p99_ms']:.1f}") for name, page in pages.items()),
    ]
    raw = {
        "steps": arguments.steps,
        "records": count,
        "records_per_second": count / seconds,
        "mib": mib,
        "pages": pages,
    }
    publish("console", rows, raw)


if __name__ == "__main__":
    main()
