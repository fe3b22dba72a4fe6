"""From the gateway's answer to the trainer's batch: steps per second, and what each hop adds.

    python -m benchmarks.loop [--trajectories 600] [--turns 4] [--in-flight 32] [--prompt-words 64]

Real Kafka, gateway and processors; agents call through HTTP; a synthetic node answers at once (directly and through the
gateway, side by side), and a consumer of the trainer's kind takes the samples.
"""

import argparse
import asyncio
import contextlib
import tempfile
import threading
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from benchmarks.report import percentiles, publish
from benchmarks.synthetic_node import keep_announcing, make_app
from benchmarks.ways import until_it_answers
from clawstream.schemas import Sample
from clawstream.streams.broker import LocalBroker
from clawstream.streams.cluster.admin import create_missing
from clawstream.streams.process.ports import free_port
from clawstream.streams.reading.consumer import Follower, GroupConsumer, Received
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.dead import DeadLetters
from clawstream.streams.writing.producer import Producer
from clawstream.topics import FEEDBACK, SAMPLES, STEPS
from clawstream.up.processes import Process
from clawstream.up.supervisor import Supervisor

_GROUP_SIZE = 4


class Batches:
    """Takes samples as the trainer does, noting when each arrived."""

    def __init__(self, kafka: KafkaSettings, producer: Producer, wanted: int) -> None:
        self.arrived: dict[str, tuple[Received[Sample], float]] = {}
        self._consumer = GroupConsumer(kafka, SAMPLES, "trainer", DeadLetters(kafka, producer, "benchmark"))
        self._wanted = wanted
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        deadline = time.monotonic() + 300
        while len(self.arrived) < self._wanted and time.monotonic() < deadline:
            for received in self._consumer.consume(256, 0.05):
                self.arrived.setdefault(received.record.trajectory_id, (received, time.time() * 1000))
        self._consumer.close()


@contextlib.asynccontextmanager
async def serving(kafka: KafkaSettings, producer: Producer) -> AsyncIterator[tuple[str, str]]:
    """The synthetic node and the real apps; yields the URLs of both."""
    runner = web.AppRunner(make_app(), access_log=None)
    await runner.setup()
    node_port, gateway_port = free_port(), free_port()
    await web.TCPSite(runner, "127.0.0.1", node_port).start()
    environment = {
        "CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CLAWSTREAM_PROCESSORS_GROUP_SIZE": str(_GROUP_SIZE),
    }
    supervisor = Supervisor(lambda name, line: print(f"{name}: {line}") if "ERROR" in line else None)
    for name, arguments in (("gateway", ("gateway", "--port", str(gateway_port))), ("process", ("process",))):
        supervisor.start(Process(name=name, arguments=arguments, environment=environment))
    node, gateway = f"http://127.0.0.1:{node_port}", f"http://127.0.0.1:{gateway_port}"
    heartbeat = asyncio.create_task(keep_announcing(producer, node))
    try:
        await until_it_answers(gateway)
        yield node, gateway
    finally:
        heartbeat.cancel()
        await supervisor.stop()
        await runner.cleanup()


def _message(words: int) -> dict[str, Any]:
    return {"role": "user", "content": " ".join(["word"] * words)}


def _body(messages: list[dict[str, Any]]) -> dict[str, Any]:
    return {"model": "policy", "messages": messages}


async def work(base_url: str, path: str, arguments: argparse.Namespace, register: bool) -> tuple[list[float], float]:
    """All trajectories against ``base_url``; each call's milliseconds, and the seconds that all took."""
    calls: list[float] = []
    gate = asyncio.Semaphore(arguments.in_flight)

    async def one(session: aiohttp.ClientSession, group_id: str) -> None:
        async with gate:
            url = f"{base_url}{path.format(trajectory=uuid.uuid4().hex, group=group_id)}"
            messages: list[dict[str, Any]] = []
            for _ in range(arguments.turns):
                messages.append(_message(arguments.prompt_words))
                body = _body(messages)
                started = time.perf_counter()
                async with session.post(f"{url}/chat/completions", json=body) as answer:
                    await answer.read()
                    answer.raise_for_status()
                calls.append((time.perf_counter() - started) * 1000)
                messages.append({"role": "assistant", "content": "word" * 4})
            if register:
                async with session.post(f"{url}/complete_trajectory", json={"reward": 1.0}) as answer:
                    answer.raise_for_status()

    begun = time.perf_counter()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        groups = [uuid.uuid4().hex for _ in range(arguments.trajectories // _GROUP_SIZE)]
        await asyncio.gather(*(one(session, group) for group in groups for _ in range(_GROUP_SIZE)))
    return calls, time.perf_counter() - begun


def hops(kafka: KafkaSettings, batches: Batches) -> dict[str, dict[str, float]]:
    """What each hop adds, in milliseconds, from the times that records and batches carry."""
    steps, completed = Follower(kafka, STEPS).to_end(), {}
    recorded = [step.timestamp_ms - step.record.finished_at.timestamp() * 1000 for step in steps]
    for feedback in Follower(kafka, FEEDBACK).to_end():
        if feedback.record.kind == "completed":
            completed[feedback.record.trajectory_id] = feedback.timestamp_ms
    closed: dict[str, float] = {}
    for received, _ in batches.arrived.values():
        members = completed[received.record.trajectory_id]
        closed[received.record.group_id] = max(members, closed.get(received.record.group_id, 0))
    ready = [received.timestamp_ms - closed[received.record.group_id] for received, _ in batches.arrived.values()]
    taken = [at - received.timestamp_ms for received, at in batches.arrived.values()]
    return {
        "last token to record in steps": percentiles(recorded),
        "group completed to sample in Kafka": percentiles(ready),
        "sample in Kafka to trainer's batch": percentiles(taken),
    }


async def main(arguments: argparse.Namespace) -> None:
    """Run once and publish."""
    with tempfile.TemporaryDirectory() as folder, LocalBroker(port=0, data_dir=Path(folder)) as broker:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        create_missing(kafka)
        producer = Producer(kafka, "benchmark")
        async with serving(kafka, producer) as (node, gateway):
            batches = Batches(kafka, producer, arguments.trajectories)
            batches.thread.start()
            direct, direct_seconds = await work(node, "/v1", arguments, register=False)
            through, through_seconds = await work(gateway, "/{trajectory}/{group}/v1", arguments, register=True)
            begun = time.monotonic()
            await asyncio.to_thread(batches.thread.join)
            drained = time.monotonic() - begun
        steps = arguments.trajectories * arguments.turns
        figures = {
            "arguments": vars(arguments),
            "steps": steps,
            "samples": len(batches.arrived),
            "steps_per_second_to_batch": round(steps / (through_seconds + drained), 1),
            "calls_per_second": {"direct": steps / direct_seconds, "gateway": steps / through_seconds},
            "call": {"direct": percentiles(direct), "gateway": percentiles(through)},
            "hops": hops(kafka, batches),
        }
        producer.close()
    publish("loop", _rows(figures), figures)


def _rows(figures: dict[str, Any]) -> list[tuple[str, str]]:
    direct, gateway = figures["call"]["direct"], figures["call"]["gateway"]
    rate = figures["calls_per_second"]
    rows = [
        ("calls/s, gateway over direct", f"{rate['gateway'] / rate['direct']:.2f}"),
        ("call p50, gateway over direct", f"{gateway['p50_ms'] / direct['p50_ms']:.1f}"),
        ("steps/s from answer to trainer's batch", f"{figures['steps_per_second_to_batch']:.0f}"),
        ("call direct, p50 / p99 ms", f"{direct['p50_ms']:.1f} / {direct['p99_ms']:.1f}"),
        ("call through gateway, p50 / p99 ms", f"{gateway['p50_ms']:.1f} / {gateway['p99_ms']:.1f}"),
    ]
    return rows + [
        (f"{hop}, p50 / p99 ms", f"{at['p50_ms']:.1f} / {at['p99_ms']:.1f}") for hop, at in figures["hops"].items()
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trajectories", type=int, default=600, help="a multiple of 4")
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--prompt-words", type=int, default=64)
    asyncio.run(main(parser.parse_args()))
