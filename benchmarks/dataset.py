"""Memory and speed of ``clawstream dataset build`` over gigabytes of steps.

    python -m benchmarks.dataset [--gib 1.5] [--step-kb 20] [--turns 6]

Real Kafka, the real command as a process, whose largest resident memory the kernel tells. The promise: no more than
500 MiB, whatever the size of the log.
"""

import argparse
import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import publish
from benchmarks.synthetic_records import completed, conversation
from clawstream.dataset.manifest import read_manifest
from clawstream.schemas import GroupStatistics, Sample, derived_id, now
from clawstream.schemas.reading.sequences import resolve
from clawstream.streams.broker import LocalBroker
from clawstream.streams.cluster.admin import create_missing
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import FEEDBACK, SAMPLES, STEPS

_GIB, _MIB = 1024**3, 1024**2
_GROUP_SIZE, _TEMPLATES = 4, 64


def write_log(kafka: KafkaSettings, size_bytes: float, turns: int, step_bytes: int) -> int:
    """Trajectories with their samples, interleaved as many agents make them; how many steps."""
    producer, trajectories = Producer(kafka, "benchmark", queue_seconds=120), int(size_bytes / turns / step_bytes)
    for first in range(0, trajectories, _TEMPLATES):
        open_ones = [
            list(conversation(f"t{number}", f"g{number // _GROUP_SIZE}", turns, step_bytes))
            for number in range(first, min(first + _TEMPLATES, trajectories))
        ]
        for step in itertools.chain.from_iterable(zip(*open_ones, strict=True)):
            producer.send(STEPS, step)
        for steps in open_ones:
            producer.send(FEEDBACK, completed(steps[0].trajectory_id, steps[0].group_id, 1.0))
            producer.send(SAMPLES, sample_of(steps))
    producer.close(timeout_seconds=120)
    return trajectories * turns


def sample_of(steps: list[Any]) -> Sample:
    """What the processors would make of them."""
    found, first = resolve(steps), steps[0]
    return Sample(
        sample_id=derived_id("sample", first.trajectory_id),
        trajectory_id=first.trajectory_id,
        group_id=first.group_id,
        tenant=first.tenant,
        agent=first.agent,
        channel=first.channel,
        step_ids=found.step_ids,
        sequences=found.sequences,
        reward=1.0,
        rewards=[],
        group=GroupStatistics(size=4, expected_size=4, reward_mean=1.0, reward_std=0.0, closed_by="complete"),
        logprobs_mode=first.logprobs_mode,
        ready_at=now(),
    )


def build(kafka: KafkaSettings, folder: Path, name: str, *flags: str) -> dict[str, Any]:
    """Run the command; its seconds, and the most memory that any command has had so far."""
    environment = os.environ | {
        "CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CLAWSTREAM_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
        "CLAWSTREAM_DATASET_FOLDER": str(folder),
    }
    started = time.monotonic()
    command = [sys.executable, "-m", "clawstream.cli.main", "dataset", "build", name, *flags]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    built = read_manifest(folder / name / "v1").built
    return {
        "seconds": round(seconds, 1),
        "most_mib": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
        "rows": built.rows,
        "records": built.records,
        "files_mib": round(sum(file.size_bytes for file in built.files) / _MIB),
    }


def main(arguments: argparse.Namespace) -> None:
    """A small log, then the large one: the most memory is asked of both, the smaller first."""
    cases, sizes = [], (arguments.gib / 8, arguments.gib)
    with tempfile.TemporaryDirectory() as place:
        for number, gib in enumerate(sizes):
            # a broker's child would count among ours, so its memory is not waited for before the last case is measured
            kafka = KafkaSettings(bootstrap_servers=arguments.servers, topic_prefix=f"b{number}-")
            create_missing(kafka)
            steps = write_log(kafka, gib * _GIB, arguments.turns, arguments.step_kb * 1000)
            cases.append({"gib": gib, "steps": steps} | build(kafka, Path(place), f"case{number}"))
    rows = [("MiB at most, over those of an eighth", f"{cases[1]['most_mib'] / cases[0]['most_mib']:.2f}")]
    for case in cases:
        name = f"{case['gib']:g} GiB, {case['steps']} steps"
        rows += [(f"{name}: MiB at most", str(case["most_mib"])), (f"{name}: seconds", str(case["seconds"]))]
        rows.append((f"{name}: MiB of steps per second", f"{case['gib'] * 1024 / case['seconds']:.0f}"))
    publish(
        "dataset", rows, {"arguments": {k: v for k, v in vars(arguments).items() if k != "servers"}, "cases": cases}
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=1.5, help="of steps, as they are in the log")
    parser.add_argument("--step-kb", type=int, default=20)
    parser.add_argument("--turns", type=int, default=6)
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, LocalBroker(port=0, data_dir=Path(folder)) as broker:
        parsed.servers = broker.bootstrap_servers
        main(parsed)
