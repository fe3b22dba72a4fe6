"""Weights are swapped under load: do calls fail, and what do they wait?

    python -m benchmarks.swaps [--nodes 3] [--swaps 20] [--in-flight 6]

Real Kafka, gateway and vLLM nodes (a blank tiny model, one thread each). Agents stream answers without a pause, first
while nothing is announced, then while version after version is: the next as soon as every node serves the one before.
Then each step in the log must say, for each of its tokens, which version sampled it. All share the machine's cores.
"""

import argparse
import asyncio
import contextlib
import itertools
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from safetensors.numpy import load_file, save_file

from benchmarks.report import percentiles, publish
from benchmarks.ways import until_it_answers
from clawstream.demo.model import make_model
from clawstream.demo.warmup import WarmupSettings
from clawstream.schemas import TOKEN_BYTES, NodeStatus, Step, WeightVersion, now
from clawstream.streams.broker import LocalBroker
from clawstream.streams.cluster.admin import create_missing
from clawstream.streams.files.snapshots import weights_digest
from clawstream.streams.process.ports import free_port
from clawstream.streams.reading.consumer import Follower, read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import NODES, STEPS, WEIGHTS
from clawstream.up.processes import Process
from clawstream.up.supervisor import Supervisor

_IDLE_SECONDS = 20.0
_WAIT_SECONDS = 60.0
_ANSWER_TOKENS = 48


@dataclass(kw_only=True)
class Calls:
    """What became of the calls of one phase."""

    call_ms: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Agents:
    """Stream answers without a pause, and note each in the phase in which it began."""

    def __init__(self, gateway: str, in_flight: int) -> None:
        self.phase = Calls()
        self._gateway = gateway
        self._tasks = [asyncio.create_task(self._work(number)) for number in range(in_flight)]

    async def stop(self) -> None:
        """End after the calls that are running."""
        self._gateway = ""
        await asyncio.gather(*self._tasks)

    async def _work(self, number: int) -> None:
        async with aiohttp.ClientSession() as session:
            for turn in itertools.count():
                if not self._gateway:
                    return
                message = {"role": "user", "content": f"agent {number} asks, turn {turn}"}
                await self._call(session, {"messages": [message], "max_tokens": _ANSWER_TOKENS, "stream": True})

    async def _call(self, session: aiohttp.ClientSession, body: dict[str, Any]) -> None:
        phase, started = self.phase, time.perf_counter()
        try:
            async with session.post(f"{self._gateway}/v1/chat/completions", json={"model": "policy"} | body) as answer:
                text = await answer.text()
                if answer.status != 200 or not text.rstrip().endswith("[DONE]"):
                    phase.failures.append(f"{answer.status} {text[-200:]}")
        except aiohttp.ClientError as error:
            phase.failures.append(repr(error))
        phase.call_ms.append((time.perf_counter() - started) * 1000)


class Versions:
    """Announces weights as the trainer does, and knows who serves them."""

    def __init__(self, kafka: KafkaSettings, producer: Producer, model: Path, nodes: int) -> None:
        self._producer, self._model, self._nodes = producer, model, nodes
        self._followed, self._newest = Follower(kafka, NODES), dict[str, NodeStatus]()

    async def announce(self, version: int) -> float:
        """Announce ``version``; seconds until every node serves it."""
        weights = await asyncio.to_thread(self._written, version)
        started = time.perf_counter()
        self._producer.send(WEIGHTS, weights).result()
        await self.until_served(version)
        return time.perf_counter() - started

    async def until_served(self, version: int) -> None:
        """Wait until every node serves ``version``. Raises ``TimeoutError``."""
        deadline = time.monotonic() + (_WAIT_SECONDS if version else 5 * _WAIT_SECONDS)
        while time.monotonic() < deadline:
            for received in await asyncio.to_thread(self._followed.poll, 0.05):
                self._newest[received.record.node] = received.record
            served = [each for each in self._newest.values() if (each.health, each.version) == ("ready", version)]
            if len(served) == self._nodes:
                return
        raise TimeoutError(f"version {version} is not served by all; they say: {list(self._newest.values())}")

    def _written(self, version: int) -> WeightVersion:
        """The model with a little noise, as a snapshot."""
        folder = self._model.with_name(f"version-{version}")
        shutil.copytree(self._model, folder)
        random = np.random.default_rng(version)
        tensors = load_file(folder / "model.safetensors")
        changed = {name: (t + 1e-3 * random.standard_normal(t.shape)).astype(t.dtype) for name, t in tensors.items()}
        save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})
        return WeightVersion(
            model="policy",
            version=version,
            uri=folder.as_uri(),
            sha256=weights_digest(folder),
            parent=version - 1,
            update_id=f"u{version}",
            created_at=now(),
        )


@contextlib.asynccontextmanager
async def serving(kafka: KafkaSettings, model: Path, nodes: int) -> AsyncIterator[str]:
    """The gateway and the nodes; the gateway's URL."""
    supervisor = Supervisor(lambda name, line: print(f"{name}: {line}") if "ERROR" in line else None)
    environment = {"CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "OMP_WAIT_POLICY": "PASSIVE"}
    port = free_port()
    commands = {
        f"node-{n}": ("rollout", "--model", str(model), "--name", f"n{n}", "--threads", "1") for n in range(nodes)
    }
    for name, arguments in {"gateway": ("gateway", "--port", str(port)), **commands}.items():
        supervisor.start(Process(name=name, arguments=arguments, environment=environment))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await supervisor.stop()


def unlabelled(steps: list[Step]) -> int:
    """How many steps do not say of each token, in order, which version sampled it."""

    def is_whole(step: Step) -> bool:
        tokens = len(step.response_tokens) // TOKEN_BYTES
        edges = [0, *(edge for span in step.policy_spans for edge in (span.start, span.end)), tokens]
        joined = all(end == start for end, start in zip(edges[::2], edges[1::2], strict=True))
        versions = [span.version for span in step.policy_spans]
        return joined and versions == sorted(versions)

    return sum(not is_whole(step) for step in steps)


async def main(arguments: argparse.Namespace) -> None:
    """Idle, then swaps, then publish."""
    with tempfile.TemporaryDirectory() as name, LocalBroker(port=0, data_dir=Path(name) / "kafka") as broker:
        folder = Path(name)
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        create_missing(kafka)
        model = make_model(folder / "model", warmup=WarmupSettings(steps=0), progress=False).directory
        producer = Producer(kafka, "benchmark")
        versions = Versions(kafka, producer, model, arguments.nodes)
        async with serving(kafka, model, arguments.nodes) as gateway:
            await versions.until_served(0)
            await until_it_answers(gateway)
            agents = Agents(gateway, arguments.in_flight)
            await asyncio.sleep(_IDLE_SECONDS / 4)  # first calls are slower
            idle = agents.phase = Calls()
            await asyncio.sleep(_IDLE_SECONDS)
            swapping = agents.phase = Calls()
            served = [await versions.announce(version) for version in range(1, arguments.swaps + 1)]
            await agents.stop()
        producer.close()
        steps = read_all(kafka, STEPS)
    phases = {"idle": percentiles(idle.call_ms), "swapping": percentiles(swapping.call_ms)}
    failures = [*idle.failures, *swapping.failures]
    mixed = sum(len(step.policy_spans) > 1 for step in steps)
    wrong = unlabelled(steps)
    rows = [
        ("p99 of calls while swapping, over idle", f"{phases['swapping']['p99_ms'] / phases['idle']['p99_ms']:.2f}"),
        ("p50", f"{phases['swapping']['p50_ms'] / phases['idle']['p50_ms']:.2f}"),
        (
            "failed calls",
            f"{len(idle.failures) + len(swapping.failures)} of {len(idle.call_ms) + len(swapping.call_ms)}",
        ),
        ("answers sampled by several versions", str(mixed)),
        ("steps whose tokens are not all labelled", str(wrong)),
        (
            "from announcement to the last node serving, p50 ms",
            f"{percentiles([1000 * s for s in served])['p50_ms']:.0f}",
        ),
    ]
    raw = {"phases": phases, "failures": failures, "served_seconds": served, "mixed": mixed, "unlabelled": wrong}
    publish("swaps", rows, {"arguments": vars(arguments), **raw})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--swaps", type=int, default=20)
    parser.add_argument("--in-flight", type=int, default=6)
    asyncio.run(main(parser.parse_args()))
