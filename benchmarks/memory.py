"""Memory of one worker over a million steps, and how long a start anew takes early and late.

    python -m benchmarks.memory [--steps 1000000] [--turns 4]

Real Kafka, a real worker. It should hold, and recover, only what is open and what is remembered, whatever has been.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.processors import GROUP_SIZE, encoded, until_done, write
from benchmarks.report import publish
from clawstream.streams.broker import LocalBroker
from clawstream.streams.cluster.admin import create_missing
from clawstream.streams.process.progress import Watch, shown
from clawstream.streams.settings import KafkaSettings

_POINTS = 10  # of the run, at which memory is looked at
_PARTS = 20  # between two of them: what is written at once, while the part before is being worked on


async def measure(servers: str, steps: int, turns: int, watch: Watch) -> list[dict[str, Any]]:
    """Resident memory after each tenth of ``steps``; after the first and the last, seconds from a start anew to the
    sample of a new group."""
    kafka = KafkaSettings(bootstrap_servers=servers, topic_prefix="memory-")
    create_missing(kafka)
    trajectories = max(1, steps // turns // _POINTS // _PARTS // GROUP_SIZE) * GROUP_SIZE
    worker, samples, found = await _worker(kafka), 0, list[dict[str, Any]]()
    try:
        for part in range(1, _POINTS * _PARTS + 1):
            await asyncio.to_thread(write, kafka, encoded(kafka, trajectories, turns, 1_000, part))
            await until_done(kafka, samples)
            watch("steps", samples * turns, _POINTS * _PARTS * trajectories * turns)
            samples += trajectories
            if part % _PARTS:
                continue
            await until_done(kafka, samples)
            found.append({"steps": samples * turns, "mib": _resident_mib(worker.pid)})
            if part in (_PARTS, _POINTS * _PARTS):
                worker.terminate()
                await worker.wait()
                started, samples = time.monotonic(), samples + GROUP_SIZE
                worker = await _worker(kafka)
                await asyncio.to_thread(write, kafka, encoded(kafka, GROUP_SIZE, turns, 1_000, -part))
                await until_done(kafka, samples)
                found[-1]["restart_seconds"] = round(time.monotonic() - started, 2)
    finally:
        worker.terminate()
        await worker.wait()
    return found


async def _worker(kafka: KafkaSettings) -> asyncio.subprocess.Process:
    environment = os.environ | {
        "CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CLAWSTREAM_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
        "CLAWSTREAM_PROCESSORS_GROUP_SIZE": str(GROUP_SIZE),
    }
    command = [sys.executable, "-m", "clawstream.cli.main", "--log-level", "ERROR", "process"]
    return await asyncio.create_subprocess_exec(*command, env=environment)


def _resident_mib(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


async def main(arguments: argparse.Namespace) -> None:
    """Measure, then publish."""
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalBroker(port=0, data_dir=Path(folder)) as broker,
        shown() as watch,
    ):
        points = await measure(broker.bootstrap_servers, arguments.steps, arguments.turns, watch)
    rows = [(f"MiB after {point['steps']} steps", str(point["mib"])) for point in points]
    restarts = [point for point in points if "restart_seconds" in point]
    rows += [(f"start anew after {point['steps']} steps, s", str(point["restart_seconds"])) for point in restarts]
    publish("memory", rows, {"arguments": vars(arguments), "points": points})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=4)
    asyncio.run(main(parser.parse_args()))
