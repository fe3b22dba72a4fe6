"""From a window's last sample to a vLLM node that serves what was learned from it.

    python -m benchmarks.serving [--windows 12] [--samples 16]

Real Kafka, trainer and vLLM node (the demo's model, blank). All samples but the last are there a second
before it; then the clock runs, to the version's event and to the node that says it serves the version. All share the
machine's cores.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import publish
from benchmarks.traces import Shape, window_of
from clawstream.demo.model import ModelSettings, make_model
from clawstream.demo.warmup import WarmupSettings
from clawstream.streams.broker import LocalBroker
from clawstream.streams.cluster.admin import create_missing
from clawstream.streams.process.progress import Watch, shown
from clawstream.streams.reading.consumer import Follower
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import NODES, SAMPLES, WEIGHTS
from clawstream.up.processes import Process
from clawstream.up.supervisor import Supervisor

_START_SECONDS, _WAIT_SECONDS = 300.0, 60.0
_FIRST = 2  # windows that are not counted: what runs for the first time is slower
_STAGES = ("announced", "served")


class Followed:
    """What the trainer and the node say of versions, as it is heard."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._followers = Follower(kafka, WEIGHTS), Follower(kafka, NODES)
        self._heard: dict[tuple[str, int], float] = {}

    def until_served(self, version: int, timeout_seconds: float) -> dict[str, float]:
        """When each stage of ``version`` was heard of. Raises ``TimeoutError``."""
        deadline = time.monotonic() + timeout_seconds
        while not all((stage, version) in self._heard for stage in _STAGES):
            if time.monotonic() > deadline:
                raise TimeoutError(f"version {version} is not served after {timeout_seconds:g} s")
            self._listen()
        return {stage: self._heard[stage, version] for stage in _STAGES}

    def _listen(self) -> None:
        for stage, follower in zip(_STAGES, self._followers, strict=True):
            for received in follower.poll(0.005):
                if stage != "served" or received.record.health == "ready":
                    self._heard.setdefault((stage, received.record.version), time.monotonic())

    def close(self) -> None:
        """Follow no longer."""
        for follower in self._followers:
            follower.close()


def delays(kafka: KafkaSettings, shape: Shape, windows: int, watch: Watch) -> list[dict[str, float]]:
    """Seconds from the last sample of each window to each stage."""
    followed, producer, found = Followed(kafka), Producer(kafka, "benchmark"), list[dict[str, float]]()
    try:
        followed.until_served(0, _START_SECONDS)
        for version in range(windows + _FIRST):
            *others, last = window_of(shape, ModelSettings().vocab_size // 2, version)
            for sent in [producer.send(SAMPLES, sample) for sample in others]:
                sent.result()
            time.sleep(1.0)
            producer.send(SAMPLES, last).result()
            started = time.monotonic()
            heard = followed.until_served(version + 1, _WAIT_SECONDS)
            found.append({stage: at - started for stage, at in heard.items()})
            watch("windows", version + 1, windows + _FIRST)
    finally:
        producer.close()
        followed.close()
    return found[_FIRST:]


async def run(kafka: KafkaSettings, folder: Path, shape: Shape, windows: int, watch: Watch) -> list[dict[str, float]]:
    """With a trainer and a node of its own."""
    model = str(make_model(folder / "model", warmup=WarmupSettings(steps=0), progress=False).directory)
    supervisor = Supervisor(lambda name, line: print(f"{name}: {line}") if "ERROR" in line else None)
    environment = {"CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "OMP_WAIT_POLICY": "PASSIVE"}
    window = ("--window-samples", str(shape.trajectories))
    commands = {
        "train": ("train", "--model", model, "--output-dir", str(folder / "out"), *window),
        "node": ("rollout", "--model", model, "--name", "n1", "--threads", "1"),
    }
    for name, arguments in commands.items():
        supervisor.start(Process(name=name, arguments=arguments, environment=environment))
    try:
        return await asyncio.to_thread(delays, kafka, shape, windows, watch)
    finally:
        await supervisor.stop()


def main(arguments: argparse.Namespace) -> None:
    """Measure, then publish."""
    shape = Shape(
        name="short", trajectories=arguments.samples, steps=2, prompt=64, answer=(8, 48), result=16, branches=0
    )
    with (
        tempfile.TemporaryDirectory() as name,
        LocalBroker(port=0, data_dir=Path(name) / "kafka") as broker,
        shown() as watch,
    ):
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        create_missing(kafka)
        found = asyncio.run(run(kafka, Path(name), shape, arguments.windows, watch))
    medians = {stage: statistics.median(each[stage] for each in found) for stage in _STAGES}
    rows = [(f"last sample to {stage}, median s", f"{seconds:.2f}") for stage, seconds in medians.items()]
    rows.append(("last sample to served, most", f"{max(each['served'] for each in found):.2f}"))
    raw: dict[str, Any] = {"arguments": vars(arguments), "median_seconds": medians, "windows": found}
    publish("serving", rows, raw)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=12, help="that are counted")
    parser.add_argument("--samples", type=int, default=16, help="of a window")
    main(parser.parse_args())
