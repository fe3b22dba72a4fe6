"""Steps per second from ``steps`` to ``samples``, for more workers and for larger steps.

    python -m benchmarks.processors [--trajectories 10000] [--turns 4]

Real Kafka, real workers. Once the workers share the partitions, completed trajectories are written as fast as Kafka
takes them; the clock runs from the first reward that the workers put out to the last sample. One worker with 1 KB steps
is what the others are compared with. Broker and workers share the machine's cores.
"""

import argparse
import asyncio
import contextlib
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from confluent_kafka import ConsumerGroupState, KafkaException

from benchmarks.report import publish
from benchmarks.synthetic_records import completed, conversation
from clawstream.processors.worker.pipeline import GROUP
from clawstream.schemas import encode
from clawstream.streams.broker import LocalBroker
from clawstream.streams.cluster.admin import create_missing
from clawstream.streams.cluster.clients import admin_client
from clawstream.streams.lag.groups import LagReader
from clawstream.streams.reading.consumer import Follower
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import FEEDBACK, REWARDS, SAMPLES, STEPS
from clawstream.up.processes import Process
from clawstream.up.supervisor import Supervisor

GROUP_SIZE = 4
_CASES = ((1_000, 1, 1), (1_000, 2, 1), (20_000, 1, 5), (20_000, 2, 5))  # bytes of a step, workers, fewer of them
_WAIT_SECONDS = 300.0
_WRITTEN_AT_ONCE = 500

Records = list[tuple[str, bytes, bytes]]  # topic, key, value


def encoded(kafka: KafkaSettings, trajectories: int, turns: int, step_bytes: int, part: int = 0) -> Records:
    """Completed trajectories, in groups."""
    records = Records()
    for number in range(trajectories):
        name, group = f"t{part}-{number}", f"g{part}-{number // GROUP_SIZE}"
        steps, key = conversation(name, group, turns, step_bytes), name.encode()
        records += [(kafka.name(STEPS.name), key, encode(step)) for step in steps]
        records.append((kafka.name(FEEDBACK.name), key, encode(completed(name, group, float(number % 2)))))
    return records


def write(kafka: KafkaSettings, records: Records) -> None:
    """Return once Kafka has all ``records``: of each some, steps before completions, as a gateway sees to it."""
    producer, left = Producer(kafka, "benchmark"), iter(records)
    while some := list(islice(left, _WRITTEN_AT_ONCE)):
        for is_step in (True, False):
            batch = producer.batch()
            for topic, key, value in some:
                if (topic == kafka.name(STEPS.name)) is is_step:
                    batch.send_bytes(topic, key, value)
            batch.sent().result()
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


async def until_joined(kafka: KafkaSettings, workers: int) -> None:
    """Return once so many workers share the partitions."""
    group, deadline = kafka.name(GROUP), time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        described = admin_client(kafka.client()).describe_consumer_groups([group], request_timeout=3)[group]
        with contextlib.suppress(KafkaException):  # nobody has asked for the group yet
            found = await asyncio.to_thread(described.result)
            if found.state == ConsumerGroupState.STABLE and len(found.members) == workers:
                return
        await asyncio.sleep(0.2)
    raise TimeoutError(f"{workers} workers have not joined {group} after {_WAIT_SECONDS:g} s")


def seconds_between(kafka: KafkaSettings) -> float:
    """From the first reward to the last sample, by the times that Kafka's records carry."""
    first = min(received.timestamp_ms for received in Follower(kafka, REWARDS).to_end())
    last = max(received.timestamp_ms for received in Follower(kafka, SAMPLES).to_end())
    return (last - first) / 1000


async def measure(servers: str, arguments: argparse.Namespace, case: tuple[int, int, int]) -> dict[str, Any]:
    """One case, on topics of its own."""
    step_bytes, workers, fewer = case
    kafka = KafkaSettings(bootstrap_servers=servers, topic_prefix=f"b{step_bytes}-{workers}-")
    create_missing(kafka)
    trajectories = arguments.trajectories // fewer // GROUP_SIZE * GROUP_SIZE
    records = encoded(kafka, trajectories, arguments.turns, step_bytes)
    environment = {
        "CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS": servers,
        "CLAWSTREAM_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
        "CLAWSTREAM_PROCESSORS_GROUP_SIZE": str(GROUP_SIZE),
    }
    supervisor = Supervisor(_errors())
    for number in range(workers):
        supervisor.start(Process(name=f"process-{number}", arguments=("process",), environment=environment))
    try:
        await until_joined(kafka, workers)
        await asyncio.to_thread(write, kafka, records)
        await until_done(kafka, trajectories)
    finally:
        await supervisor.stop()
    steps, seconds = trajectories * arguments.turns, seconds_between(kafka)
    return {"step_bytes": step_bytes, "workers": workers, "steps": steps, "seconds": seconds, "rate": steps / seconds}


def _errors() -> Callable[[str, str], None]:
    return lambda name, line: print(f"{name}: {line}") if "ERROR" in line else None


async def main(arguments: argparse.Namespace) -> None:
    """Every case, then publish."""
    with tempfile.TemporaryDirectory() as folder, LocalBroker(port=0, data_dir=Path(folder)) as broker:
        cases = [await measure(broker.bootstrap_servers, arguments, case) for case in _CASES]
    first = cases[0]["rate"]
    rows = [(f"{_name(case)}, over the first", f"{case['rate'] / first:.2f}") for case in cases[1:]]
    rows += [(f"{_name(case)}, steps/s", f"{case['rate']:.0f}") for case in cases]
    publish("processors", rows, {"arguments": vars(arguments), "cases": cases})


def _name(case: dict[str, Any]) -> str:
    return f"{case['step_bytes'] // 1000} KB steps, {case['workers']} worker{'s' if case['workers'] > 1 else ''}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trajectories", type=int, default=10_000, help="a fifth of it with large steps")
    parser.add_argument("--turns", type=int, default=4)
    asyncio.run(main(parser.parse_args()))
