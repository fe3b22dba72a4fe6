"""Every step comes out once, while workers are killed, stopped and joined.

    python -m benchmarks.delivery [--trajectories 3000] [--turns 20]

Real Kafka, real workers. Steps are written all the while; three workers are killed with SIGKILL, one is stopped and
started again, a third one joins and leaves. Then each step is counted over ``samples`` and ``rejected``, repeats
dropped by id, and rewards are summed. The exit status is 1 when anything is missing, doubled or off.
"""

import argparse
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from msgspec.structs import replace

from benchmarks.report import publish
from benchmarks.synthetic_records import completed, conversation
from clawstream.streams.broker import LocalBroker
from clawstream.streams.cluster.admin import create_missing
from clawstream.streams.reading.consumer import Follower, read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import FEEDBACK, REJECTED, SAMPLES, STEPS

_GROUP_SIZE = 4
_UNREWARDED = 10  # every tenth trajectory is aborted, so that rejections are counted too
_WAIT_SECONDS = 600.0


class Workers:
    """``clawstream process``, several times."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._environment = os.environ | {
            "CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "CLAWSTREAM_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
            "CLAWSTREAM_PROCESSORS_GROUP_SIZE": str(_GROUP_SIZE),
            "CLAWSTREAM_PROCESSORS_GROUP_DEADLINE_SECONDS": "60",
        }
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """One more."""
        command = [sys.executable, "-m", "clawstream.cli.main", "--log-level", "ERROR", "process"]
        self._running.append(subprocess.Popen(command, env=self._environment))

    def end(self, number: signal.Signals) -> None:
        """The one that has run longest."""
        worker = self._running.pop(0)
        worker.send_signal(number)
        worker.wait(60)

    def kill_all(self) -> None:
        """Clean up."""
        for worker in self._running:
            worker.kill()
            worker.wait()


def write(kafka: KafkaSettings, trajectories: int, turns: int, steps_per_second: float) -> tuple[set[str], float]:
    """Trajectories one after the other; the ids of all steps, and the sum of the rewards of those that train."""
    producer, step_ids, expected = Producer(kafka, "benchmark"), set[str](), list[float]()
    began, written = time.monotonic(), 0
    for number in range(trajectories):
        name, group = f"t{number}", f"g{number // _GROUP_SIZE}"
        steps = list(conversation(name, group, turns, 1000))
        for sent in [producer.send(STEPS, step) for step in steps]:
            sent.result()  # before its end, as a gateway sees to it
        step_ids |= {step.step_id for step in steps}
        written += len(steps)
        done = completed(name, group, number % 7 / 4)
        if number % _UNREWARDED == 0:
            done = replace(done, kind="aborted")
        else:
            expected.append(number % 7 / 4)
        producer.send(FEEDBACK, done)
        time.sleep(max(0.0, began + written / steps_per_second - time.monotonic()))
    producer.close()
    return step_ids, math.fsum(expected)


def disturb(workers: Workers, pause_seconds: float) -> None:
    """Three kills and three other rebalances."""
    for act in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, None, signal.SIGKILL):
        time.sleep(pause_seconds)
        if act is None:
            workers.start()  # a third one joins, and leaves again
            time.sleep(pause_seconds)
            workers.end(signal.SIGTERM)
        else:
            workers.end(act)
            workers.start()


def ends(kafka: KafkaSettings) -> tuple[Counter[str], float, int]:
    """Where each step ended, the sum of rewards, and how many records were repeats."""
    sampled, rejected = read_all(kafka, SAMPLES), read_all(kafka, REJECTED)
    samples = {sample.sample_id: sample for sample in sampled}
    rejections = {rejection.rejection_id: rejection for rejection in rejected}
    counted = Counter(step_id for sample in samples.values() for step_id in sample.step_ids)
    counted.update(rejection.step_id for rejection in rejections.values())
    total = math.fsum(sample.reward for sample in samples.values())
    return counted, total, len(sampled) + len(rejected) - len(samples) - len(rejections)


def wait_until_out(kafka: KafkaSettings, step_ids: set[str]) -> None:
    """Return once every step is in a sample or rejected. Raises ``TimeoutError``."""
    out, deadline = set[str](), time.monotonic() + _WAIT_SECONDS
    followers = [Follower(kafka, SAMPLES), Follower(kafka, REJECTED)]
    while not step_ids <= out:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(step_ids - out)} of {len(step_ids)} steps are not out after {_WAIT_SECONDS:g} s")
        for received in [one for follower in followers for one in follower.poll(0.2)]:
            record = received.record
            out.update(record.step_ids if hasattr(record, "step_ids") else [record.step_id])
    for follower in followers:
        follower.close()


def main(arguments: argparse.Namespace) -> int:
    """Write, disturb, count, publish."""
    with tempfile.TemporaryDirectory() as folder, LocalBroker(port=0, data_dir=Path(folder)) as broker:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, topic_prefix="delivery-")
        create_missing(kafka)
        workers = Workers(kafka)
        for _ in range(2):
            workers.start()
        steps = arguments.trajectories * arguments.turns
        pause = max(6.0, steps / arguments.rate / 6)
        disturbing = threading.Thread(target=disturb, args=(workers, pause))
        disturbing.start()
        began = time.monotonic()
        try:
            step_ids, expected = write(kafka, arguments.trajectories, arguments.turns, arguments.rate)
            disturbing.join()
            wait_until_out(kafka, step_ids)
            seconds = time.monotonic() - began
            counted, total, repeats = ends(kafka)
        finally:
            disturbing.join()
            workers.kill_all()
    missing = len(step_ids - counted.keys())
    doubled = sum(count > 1 for count in counted.values())
    rows = [
        ("steps", str(len(step_ids))),
        ("missing", str(missing)),
        ("in more than one sample or rejection", str(doubled)),
        ("not ours", str(len(counted.keys() - step_ids))),
        ("sum of rewards, and what it should be", f"{total:g}, {expected:g}"),
        ("repeated records, dropped by id", str(repeats)),
        ("seconds", f"{seconds:.0f}"),
    ]
    publish("delivery", rows, {"arguments": vars(arguments), "rows": dict(rows)})
    return 0 if counted == Counter(step_ids) and total == expected else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trajectories", type=int, default=3000)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--rate", type=float, default=1000.0, help="steps written each second")
    sys.exit(main(parser.parse_args()))
