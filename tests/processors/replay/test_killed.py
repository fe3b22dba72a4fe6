"""A replay that is killed in the middle, and the same command again."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clawstream.processors.testing import conversation, run
from clawstream.streams.lag.groups import LagReader
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import REJECTED, REWARDS, SAMPLES, STEPS
from tests.processors.replay.test_running import produce, side

GROUPS, AT_ONCE = 48, 16
DEADLINE_SECONDS = 60.0


@pytest.mark.kafka
def test_after_kill_9_the_same_command_gives_each_record_once(kafka: KafkaSettings, tmp_path: Path) -> None:
    rewards: list[float | None] = [None, 0.0, 1.0]
    events = [
        event
        for n in range(GROUPS)
        for event in conversation(("hi", f"it is {n}"), trajectory=f"t{n}", reward=rewards[n % 3])
    ]
    produce(kafka, events)
    command = [sys.executable, "-m", "clawstream.cli.main", "replay", "--into", "killed", "--rate"]
    environment = os.environ | {
        "CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CLAWSTREAM_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
    }
    derived, lags = side(kafka, "killed"), LagReader(kafka)
    first = subprocess.Popen([*command, "20"], env=environment, cwd=tmp_path)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not lags.committed("replay-killed", [STEPS])["steps"] or lags.lag("replay-killed", STEPS) == GROUPS:
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    first.kill()
    first.wait()
    assert 0 < lags.lag("replay-killed", STEPS) < GROUPS
    assert 0 < len(read_all(derived, SAMPLES)) < GROUPS

    subprocess.run([*command, "0"], env=environment, cwd=tmp_path, check=True)
    expected = run([], events)
    assert lags.lag("replay-killed", STEPS) == 0
    samples = read_all(derived, SAMPLES)
    assert len(samples) <= len(expected.samples) + AT_ONCE
    assert {sample.sample_id: sample for sample in samples} == {sample.sample_id: sample for sample in expected.samples}
    given = {reward.reward_id: reward for reward in read_all(derived, REWARDS)}
    assert given == {reward.reward_id: reward for reward in expected.rewards}
    rejected = {rejection.rejection_id: rejection for rejection in read_all(derived, REJECTED)}
    assert rejected == {rejection.rejection_id: rejection for rejection in expected.rejected}
