"""The index over a real Kafka: exactly what the topics say, also after ``kill -9``."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clawstream.console.index.filling import Filler, Progress, fill
from clawstream.console.index.filters import Filter
from clawstream.console.index.reading import Reading
from clawstream.console.index.store import Index
from clawstream.console.settings import ConsoleSettings
from clawstream.streams.lag.groups import LagReader
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import SAMPLES, STEPS
from tests.builders import NOON, a_sample, a_step

pytestmark = pytest.mark.kafka
KEPT = ConsoleSettings(max_days=36500)

FILLING = """
import sys
from pathlib import Path
from clawstream.console.index.filling import Filler
from clawstream.console.index.store import Index
from clawstream.console.settings import ConsoleSettings
from clawstream.streams.settings import load, KafkaSettings
filler = Filler(Index(Path(sys.argv[1])), load(KafkaSettings), ConsoleSettings(max_days=36500))
while True:
    filler.step()
"""


def produce(kafka: KafkaSettings, names: range) -> None:
    producer = Producer(kafka, "test")
    futures = [producer.send(STEPS, a_step(trajectory_id=f"t{name}", received_at=NOON)) for name in names]
    futures += [producer.send(SAMPLES, a_sample(trajectory_id=f"t{name}", sample_id=f"s{name}")) for name in names]
    for future in futures:
        future.result(30)
    producer.close()


def filled(kafka: KafkaSettings, index: Index) -> list[Progress]:
    filler, told = Filler(index, kafka, KEPT), list[Progress]()
    fill(filler, told.append, lambda: False)
    filler.close()
    return told


def test_everything_is_read_once_and_the_lag_is_shown(kafka: KafkaSettings, tmp_path: Path) -> None:
    produce(kafka, range(20))
    producer = Producer(kafka, "test")
    producer.send_bytes(kafka.name("steps"), b"t1", b"no record").result(30)
    producer.close()
    index = Index(tmp_path)
    assert filled(kafka, index)[-1] == Progress(41, 41)
    found = Reading(index, "default").trajectories(Filter(status="ready"), 100)
    assert {(listed.trajectory_id, listed.steps) for listed in found} == {(f"t{name}", 1) for name in range(20)}
    produce(kafka, range(20, 25))
    assert filled(kafka, index)[-1] == Progress(51, 51)
    assert len(Reading(index, "default").trajectories(Filter(status="ready"), 100)) == 25
    reader, deadline = LagReader(kafka), time.monotonic() + 20
    while (lag := reader.lag("console", STEPS)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert lag == 0


def test_a_killed_process_leaves_what_its_offsets_say(kafka: KafkaSettings, tmp_path: Path) -> None:
    produce(kafka, range(1500))
    index = Index(tmp_path)
    environment = os.environ | {
        "CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CLAWSTREAM_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
    }
    child = subprocess.Popen([sys.executable, "-c", FILLING, str(tmp_path)], env=environment)
    deadline = time.monotonic() + 60
    while sum(index.offsets().values()) < 1000 and time.monotonic() < deadline:
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()
    rows = index.reader.execute("SELECT count(*) FROM records").fetchone()[0]
    assert rows == sum(index.offsets().values()) >= 1000
    filled(kafka, index)
    found = Reading(index, "default").trajectories(Filter(), 2000)
    assert {(listed.status, listed.steps) for listed in found} == {("ready", 1)}
    assert len(found) == 1500
