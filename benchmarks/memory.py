"""Memory of one worker over a million steps, and how long a start anew takes early and late.

    python -m benchmarks.memory [--steps 1000000] [--turns 4]

Real Kafka, a real worker. Whatever has been, a worker holds, and recovers, only what is open and what is remembered.
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
from clawstream.streams.settings import KafkaSettings

_PARTS = 10  # of the run, after each of which memory is looked at


async def measure(servers: str, steps: int, turns: int) -> list[dict[str, Any]]:
    """Resident memory after each tenth of ``steps``; after the first and the last, seconds from a start anew to the
    sample of a new group."""
    kafka = KafkaSettings(bootstrap_servers=servers, topic_prefix="memory-")
    create_missing(kafka)
    trajectories = steps // turns // _PARTS // GROUP_SIZE * GROUP_SIZE
    worker, samples, found = await _worker(kafka), 0, []
    try:
        for part in range(1, _PARTS + 1):
            samples += trajectories
            await asyncio.to_thread(write, kafka, encoded(kafka, trajectories, turns, 1_000, part))
            await until_done(kafka, samples)
            point = {"steps": part * trajectories * turns, "mib": _resident_mib(worker.pid)}
            if part in (1, _PARTS):
                worker.terminate()
                await worker.wait()
                started, samples = time.monotonic(), samples + GROUP_SIZE
                worker = await _worker(kafka)
                await asyncio.to_thread(write, kafka, encoded(kafka, GROUP_SIZE, turns, 1_000, _PARTS + part))
                await until_done(kafka, samples)
                point["restart_seconds"] = round(time.monotonic() - started, 2)
            found.append(point)
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
    with tempfile.TemporaryDirectory() as folder, LocalBroker(port=0, data_dir=Path(folder)) as broker:
        points = await measure(broker.bootstrap_servers, arguments.steps, arguments.turns)
    rows = [(f"MiB after {point['steps']} steps", str(point["mib"])) for point in points]
    restarts = [point for point in points if "restart_seconds" in point]
    rows += [(f"start anew after {point['steps']} steps, s", str(point["restart_seconds"])) for point in restarts]
    publish("memory", rows, {"arguments": vars(arguments), "points": points})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=4)
    asyncio.run(main(parser.parse_args()))
