"""The worker on a real Kafka: every step ends once, also when workers are killed or join."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from clawstream.schemas import TOKEN_BYTES, PromptPrefix, Step, encode, tokens_digest, unpack_tokens
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.reading.letters import buried
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import (
    FEEDBACK,
    NEXT_STATES,
    REJECTED,
    REWARDS,
    SAMPLES,
    STEPS,
    TRAJECTORIES,
    WEIGHTS,
    partition_of,
)
from tests.builders import NOON, a_feedback, a_step, a_version

pytestmark = pytest.mark.kafka


class Workers:
    """Worker processes."""

    def __init__(self, kafka: KafkaSettings, **settings: object) -> None:
        self._environment = {
            **os.environ,
            "CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "CLAWSTREAM_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
            **{f"CLAWSTREAM_PROCESSORS_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, *, before: str = "") -> None:
        self.running.append(self._started(before))

    def _started(self, before: str = "") -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", f"{before}\nfrom clawstream.cli.main import main; main()", "process"]
        return subprocess.Popen(command, env=self._environment)

    def mend(self) -> None:
        """Start those that ended by themselves again, as ``clawstream up`` does: aiokafka may fail in a rebalance, and
        a worker ends rather than go on with records that it may have lost."""
        self.running = [self._started() if worker.poll() else worker for worker in self.running]

    def kill(self) -> None:
        worker = self.running.pop(0)
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    def stop(self) -> list[int]:
        for worker in self.running:
            worker.terminate()
        return [worker.wait(30) for worker in self.running]


@contextlib.contextmanager
def workers(kafka: KafkaSettings, **settings: object) -> Iterator[Workers]:
    started = Workers(kafka, **settings)
    started.start()
    try:
        yield started
    finally:
        for worker in started.running:
            worker.kill()
            worker.wait()


def eventually(condition: Callable[[], bool], seconds: float = 120) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.3)
    return condition()


def all_ended(started: Workers, kafka: KafkaSettings, step_ids: set[str]) -> bool:
    """Has every step ended? Workers that are gone are started again."""
    started.mend()
    return set(ends(kafka)) == step_ids


def conversation(trajectory_id: str, group_id: str, turns: int) -> list[Step]:
    """Steps that continue each other."""
    steps = [a_step([1, 2], [3, 4], trajectory_id=trajectory_id, group_id=group_id)]
    tokens = steps[0].prompt_tokens + steps[0].response_tokens
    for turn in range(1, turns):
        prefix = PromptPrefix(
            step_id=steps[-1].step_id, token_count=len(tokens) // TOKEN_BYTES, sha256=tokens_digest(tokens)
        )
        step = a_step([9], [3, 4 + turn], trajectory_id=trajectory_id, group_id=group_id, prompt_prefix=prefix)
        steps.append(step)
        tokens += step.prompt_tokens + step.response_tokens
    return steps


def produce(producer: Producer, count: int, group_size: int = 2, turns: int = 3) -> set[str]:
    """``count`` completed trajectories in groups; the ids of their steps."""
    futures, step_ids = [], set()
    for number in range(count):
        name, group = f"t{number}", f"g{number // group_size}"
        for step in conversation(name, group, turns):
            step_ids.add(step.step_id)
            futures.append(producer.send(STEPS, step))
        done = a_feedback(trajectory_id=name, group_id=group, reward=float(number % 2))
        futures.append(producer.send(FEEDBACK, done))
    for future in futures:
        future.result(timeout=60)
    return step_ids


def ends(kafka: KafkaSettings) -> Counter[str]:
    """Where each step ended, repeats dropped by id."""
    samples = {sample.sample_id: sample for sample in read_all(kafka, SAMPLES)}.values()
    rejected = {rejection.rejection_id: rejection for rejection in read_all(kafka, REJECTED)}.values()
    counted = Counter(step_id for sample in samples for step_id in sample.step_ids)
    counted.update(rejection.step_id for rejection in rejected)
    return counted


def test_steps_and_feedback_become_samples(kafka: KafkaSettings) -> None:
    producer = Producer(kafka, "test")
    step_ids = produce(producer, 4)
    for poison in (b"garbage", None, b"\0\0\0\3\xe7", encode(a_feedback()), encode(a_step())[:-3]):
        producer.send_bytes(kafka.name("steps"), b"t1", poison).result(timeout=30)
    huge = a_step(trajectory_id="h", text="x" * (kafka.max_record_bytes - 700), received_at=NOON.replace(year=9999))
    producer.send(STEPS, huge).result(timeout=30)
    producer.send(FEEDBACK, a_feedback("aborted", trajectory_id="h")).result(timeout=30)
    elsewhere = (partition_of(b"t1", kafka.partitions) + 1) % kafka.partitions
    forged = encode(a_step(trajectory_id="t1"))
    producer.send_bytes(kafka.name("steps"), b"t1", forged, partition=elsewhere).result(timeout=30)
    with workers(kafka, group_size=2) as started:
        assert eventually(lambda: len(ends(kafka)) == len(step_ids) + 1)
        assert started.stop() == [0]
    samples = read_all(kafka, SAMPLES)
    assert ends(kafka) == Counter([*step_ids, huge.step_id])
    letters = list(buried(kafka, STEPS))
    home = partition_of(b"t1", kafka.partitions)
    assert [letter.partition for letter in letters].count(home) == 5
    assert sorted(letter.reason.split(":")[0] for letter in letters) == [
        "a tombstone is no Step",
        "body is no Step of schema 11",
        "first byte is 103, not 0",
        f"its key 't1' belongs to partition {home}, not {elsewhere}",
        "schema id 2 is a Feedback, expected a Step",
        "schema id 999 is not committed",
    ]
    assert {(s.trajectory_id, s.reward) for s in samples} == {("t0", 0.0), ("t1", 1.0), ("t2", 0.0), ("t3", 1.0)}
    assert {(s.group.size, s.group.reward_mean, s.group.closed_by) for s in samples} == {(2, 0.5, "complete")}
    (sequence,) = samples[0].sequences
    assert unpack_tokens(sequence.tokens).tolist() == [1, 2, 3, 4, 9, 3, 5, 9, 3, 6]
    assert [(span.start, span.end) for span in sequence.responses] == [(2, 4), (5, 7), (8, 10)]
    assert len(read_all(kafka, NEXT_STATES)) == 8
    assert len(read_all(kafka, REWARDS)) == len(read_all(kafka, TRAJECTORIES)) - 1 == 4
    producer.close()


def test_what_cannot_train_is_rejected_with_its_reason(kafka: KafkaSettings) -> None:
    producer = Producer(kafka, "test")
    cases = {
        "reward_missing": ([a_step(trajectory_id="a", group_id="ga")], [a_feedback(trajectory_id="a", group_id="ga")]),
        "aborted": (
            [a_step(trajectory_id="b", group_id="gb")],
            [a_feedback("aborted", trajectory_id="b", group_id="gb")],
        ),
        "length": (
            [a_step(trajectory_id="c", group_id="gc", trainable=False, untrainable_reason="length: cut off")],
            [a_feedback(trajectory_id="c", group_id="gc", reward=1.0)],
        ),
        "group_too_small": (
            [a_step(trajectory_id="d", group_id="gd", model="policy-acme")],
            [
                a_feedback("opened", trajectory_id="d", group_id="gd", group_size=2),
                a_feedback(trajectory_id="d", group_id="gd", reward=1.0),
            ],
        ),
        "stale": (
            [a_step(trajectory_id="e", group_id="ge")],
            [a_feedback(trajectory_id="e", group_id="ge", reward=1.0)],
        ),
    }
    young = a_step(trajectory_id="f", group_id="gf", model="policy-acme")
    for weights in (a_version(9), a_version(2, model="policy-acme", base="policy")):
        producer.send(WEIGHTS, weights).result(timeout=30)
    producer.send(STEPS, young).result(timeout=30)
    producer.send(FEEDBACK, a_feedback(trajectory_id="f", group_id="gf", reward=1.0)).result(timeout=30)
    for steps, statements in cases.values():
        for step in steps:
            producer.send(STEPS, step).result(timeout=30)
        for statement in statements:
            producer.send(FEEDBACK, statement).result(timeout=30)
    with workers(kafka, group_size=1, reward_deadline_seconds=1, group_deadline_seconds=2, max_policy_lag=2):
        assert eventually(lambda: len(read_all(kafka, REJECTED)) >= 5 and len(read_all(kafka, SAMPLES)) >= 1)
    found = {rejection.step_id: rejection.reason for rejection in read_all(kafka, REJECTED)}
    assert found == {steps[0].step_id: reason for reason, (steps, _) in cases.items()}
    assert [sample.step_ids for sample in read_all(kafka, SAMPLES)] == [[young.step_id]]
    producer.close()


def test_kill_9_and_a_second_worker_lose_nothing_and_double_nothing(kafka: KafkaSettings) -> None:
    producer = Producer(kafka, "test")
    with workers(kafka, group_size=2) as started:
        step_ids = produce(producer, 600)
        assert eventually(lambda: len(read_all(kafka, SAMPLES)) > 20)
        started.kill()
        started.start()
        started.start()
        assert eventually(lambda: len(ends(kafka)) > 600)
        started.kill()
        assert eventually(lambda: all_ended(started, kafka, step_ids))
    assert ends(kafka) == Counter(step_ids)
    rewards = {sample.trajectory_id: sample.reward for sample in read_all(kafka, SAMPLES)}
    assert (len(rewards), sum(rewards.values())) == (600, 300.0)
    producer.close()


def test_what_was_read_before_a_rebalance_is_read_again_where_nothing_was_committed(kafka: KafkaSettings) -> None:
    """Two workers that start together join one after the other: the first reads ahead, then lets go."""
    producer = Producer(kafka, "test")
    step_ids = produce(producer, 400)
    with workers(kafka, group_size=2, memory_trajectories=2) as started:
        started.start()
        assert eventually(lambda: all_ended(started, kafka, step_ids))
        assert eventually(lambda: len(remembered(kafka)) < 40, 20)  # 400 trajectories went through
    assert ends(kafka) == Counter(step_ids)
    producer.close()


def remembered(kafka: KafkaSettings) -> set[tuple[str, bytes]]:
    """What a worker that starts now would recover: table and key."""
    kept = dict[tuple[str, bytes], bool]()
    for table in ("trajectories", "steps", "groups", "members"):
        client = Consumer(kafka.client(**{"group.id": "unused", "enable.partition.eof": True}))
        name, behind = kafka.name(f"processors-{table}-changelog"), set(range(kafka.partitions))
        client.assign([TopicPartition(name, partition, 0) for partition in behind])
        while behind:
            for message in client.consume(1000, 1):
                if message.error():
                    behind.discard(message.partition())
                else:
                    kept[table, bytes(message.key())] = message.value() is not None
        client.close()
    return {entry for entry, is_there in kept.items() if is_there}


REWARDS_FILE = """
from clawstream.processors.rewards import Episode, Reaction, reward

@reward
def turns(episode: Episode) -> float:
    if episode.trajectory_id == "t1":
        raise LookupError("no such task")
    return float(len(episode.turns))

@reward
async def liked(reaction: Reaction) -> float:
    return 1.0
"""


def test_included_rewards_are_joined_and_an_error_costs_one_trajectory(kafka: KafkaSettings, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(REWARDS_FILE)
    producer = Producer(kafka, "test")
    step_ids = produce(producer, 3)
    with workers(kafka, include=tmp_path / "mine.py", required_rewards="turns"):
        assert eventually(lambda: ends(kafka) == Counter(step_ids))
    samples = {sample.trajectory_id: sample for sample in read_all(kafka, SAMPLES)}
    assert {name: sample.reward for name, sample in samples.items()} == {"t0": 3.0, "t2": 3.0}
    assert sorted(reward.source for reward in samples["t2"].rewards) == ["agent", "liked", "liked", "turns"]
    assert {rejection.trajectory_id for rejection in read_all(kafka, REJECTED)} == {"t1"}
    (letter,) = buried(kafka, REWARDS)
    assert letter.reason == "turns failed: LookupError: no such task"
    assert {reward.value for reward in read_all(kafka, REWARDS) if reward.trajectory_id == "t1"} == {None, 1.0}
    producer.close()


FAILS_ONCE_IT_HAS_TAKEN_FIVE = """
from clawstream.processors.worker.worker import Worker
apply, taken = Worker._apply, []
def fail_later(self, *args):
    taken.append(args)
    if len(taken) > 5:
        raise RuntimeError("the sixth record")
    return apply(self, *args)
Worker._apply = fail_later
"""


def test_a_batch_that_fails_is_not_acknowledged(kafka: KafkaSettings) -> None:
    producer = Producer(kafka, "test")
    step_ids = produce(producer, 4)
    failing = Workers(kafka, group_size=2)
    failing.start(before=FAILS_ONCE_IT_HAS_TAKEN_FIVE)
    assert failing.running[0].wait(60) == 1
    with workers(kafka, group_size=2):
        assert eventually(lambda: ends(kafka) == Counter(step_ids))
    producer.close()
