"""Steps per second from ``steps`` to ``samples``, for more workers and for larger steps.

    python -m benchmarks.processors [--trajectories 2000] [--turns 4] [--memory-steps 1000000]

Real Kafka, real workers. A backlog of completed trajectories is written first; the clock runs from the first reward
that the workers put out to the last sample. One worker with 1 KB steps is what the others are compared with.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.report import publish
from benchmarks.synthetic_records import completed, conversation
from clawstream.streams.admin import create_missing
from clawstream.streams.broker import LocalBroker
from clawstream.streams.consumer import Follower
from clawstream.streams.lag import LagReader
from clawstream.streams.producer import Producer
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import FEEDBACK, REWARDS, SAMPLES, STEPS
from clawstream.up.processes import Process
from clawstream.up.supervisor import Supervisor

_GROUP_SIZE = 4
_CASES = ((1_000, 1), (1_000, 2), (20_000, 1), (20_000, 2))  # bytes of a step, workers
_PARTS = 10  # of a long run, after each of which memory is looked at
_WAIT_SECONDS = 300.0


def write_backlog(kafka: KafkaSettings, trajectories: int, turns: int, step_bytes: int, part: int = 0) -> None:
    """Completed trajectories, in groups."""
    producer = Producer(kafka, "benchmark")
    for number in range(trajectories):
        name, group = f"t{part}-{number}", f"g{part}-{number // _GROUP_SIZE}"
        for step in conversation(name, group, turns, step_bytes):
            producer.send(STEPS, step)
        producer.send(FEEDBACK, completed(name, group, float(number % 2)))
    producer.close()


async def until_done(kafka: KafkaSettings, samples: int) -> None:
    """Return once there are so many samples."""
    lags = LagReader(kafka)

    def there() -> int:
        return sum(lags.end_offsets(SAMPLES).values())

    deadline = time.monotonic() + _WAIT_SECONDS
    while await asyncio.to_thread(there) < samples:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{there()} of {samples} samples after {_WAIT_SECONDS:g} s")
        await asyncio.sleep(0.2)


def seconds_between(kafka: KafkaSettings) -> float:
    """From the first reward to the last sample, by the times that Kafka's records carry."""
    first = min(received.timestamp_ms for received in Follower(kafka, REWARDS).to_end())
    last = max(received.timestamp_ms for received in Follower(kafka, SAMPLES).to_end())
    return (last - first) / 1000


async def measure(servers: str, arguments: argparse.Namespace, step_bytes: int, workers: int) -> dict[str, Any]:
    """One case, on topics of its own."""
    kafka = KafkaSettings(bootstrap_servers=servers, topic_prefix=f"b{step_bytes}-{workers}-")
    create_missing(kafka)
    trajectories = arguments.trajectories * 1_000 // step_bytes // _GROUP_SIZE * _GROUP_SIZE
    await asyncio.to_thread(write_backlog, kafka, trajectories, arguments.turns, step_bytes)
    environment = {
        "CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS": servers,
        "CLAWSTREAM_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
        "CLAWSTREAM_PROCESSORS_GROUP_SIZE": str(_GROUP_SIZE),
    }
    supervisor = Supervisor(_errors())
    for number in range(workers):
        supervisor.start(Process(name=f"process-{number}", arguments=("process",), environment=environment))
    try:
        await until_done(kafka, trajectories)
    finally:
        await supervisor.stop()
    steps, seconds = trajectories * arguments.turns, seconds_between(kafka)
    return {"step_bytes": step_bytes, "workers": workers, "steps": steps, "seconds": seconds, "rate": steps / seconds}


async def measure_memory(servers: str, steps: int, turns: int) -> list[dict[str, Any]]:
    """Resident memory of one worker after each tenth of ``steps``."""
    kafka = KafkaSettings(bootstrap_servers=servers, topic_prefix="memory-")
    create_missing(kafka)
    trajectories = steps // turns // _PARTS // _GROUP_SIZE * _GROUP_SIZE
    command = [sys.executable, "-m", "clawstream.cli.main", "--log-level", "ERROR", "process"]
    environment = os.environ | {
        "CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS": servers,
        "CLAWSTREAM_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
        "CLAWSTREAM_PROCESSORS_GROUP_SIZE": str(_GROUP_SIZE),
    }
    worker = await asyncio.create_subprocess_exec(*command, env=environment)
    found = []
    try:
        for part in range(1, _PARTS + 1):
            await asyncio.to_thread(write_backlog, kafka, trajectories, turns, 1_000, part)
            await until_done(kafka, part * trajectories)
            found.append({"steps": part * trajectories * turns, "mib": _resident_mib(worker.pid)})
    finally:
        worker.terminate()
        await worker.wait()
    return found


def _resident_mib(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def _errors() -> Callable[[str, str], None]:
    return lambda name, line: print(f"{name}: {line}") if "ERROR" in line else None


async def main(arguments: argparse.Namespace) -> None:
    """Every case, then publish."""
    with tempfile.TemporaryDirectory() as folder, LocalBroker(port=0, data_dir=Path(folder)) as broker:
        cases = [await measure(broker.bootstrap_servers, arguments, *case) for case in _CASES]
        servers, steps = broker.bootstrap_servers, arguments.memory_steps
        memory = await measure_memory(servers, steps, arguments.turns) if steps else []
    first = cases[0]["rate"]
    rows = [(f"{_name(case)}, over the first", f"{case['rate'] / first:.2f}") for case in cases[1:]]
    rows += [(f"{_name(case)}, steps/s", f"{case['rate']:.0f}") for case in cases]
    rows += [(f"MiB after {point['steps']} steps", str(point["mib"])) for point in (*memory[:1], *memory[-1:])]
    publish("processors", rows, {"arguments": vars(arguments), "cases": cases, "memory": memory})


def _name(case: dict[str, Any]) -> str:
    return f"{case['step_bytes'] // 1000} KB steps, {case['workers']} worker{'s' if case['workers'] > 1 else ''}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trajectories", type=int, default=2000, help="fewer of the large steps: the same bytes")
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--memory-steps", type=int, default=0, help="also watch memory over so many steps")
    asyncio.run(main(parser.parse_args()))
