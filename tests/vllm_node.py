"""One real rollout node per test session: ``clawstream rollout`` as a process, on a tiny model and the real broker.

Invariant: whoever asks for ``node`` shares it, so a test leaves it ready, at whatever version it came to. Two versions
have been announced before it starts, by a trainer that is gone: it joins late, and loads from disk. That it stops when
told is seen as the session ends.
"""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from clawstream.schemas import NodeStatus, WeightVersion, now
from clawstream.schemas.transfer import address
from clawstream.streams.broker import LocalBroker
from clawstream.streams.cluster.admin import create_missing
from clawstream.streams.files.snapshots import weights_digest
from clawstream.streams.process.ports import HOST, free_port
from clawstream.streams.reading.consumer import Follower, read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import NODES, WEIGHTS
from tests.tiny_model import make_tiny_model

START_SECONDS = 240.0
_LOOK_SECONDS = 0.5
EARLIER = (1, 2)  # versions that were announced before the node is started
T = TypeVar("T")

ASK = {
    "model": "policy",
    "stream": True,
    "stream_options": {"include_usage": True},
    "logprobs": True,
    "top_logprobs": 0,
    "return_token_ids": True,
}


@dataclass(frozen=True, kw_only=True)
class Said:
    """One streamed answer, put together."""

    prompt: list[int]
    tokens: list[int]
    logprobs: list[float]
    usage: dict[str, int]
    spans: list[dict[str, Any]]
    tool_calls: list[dict[str, Any]]
    finish_reason: str


@dataclass(kw_only=True)
class VllmNode:
    """A running node."""

    name: str
    process: "subprocess.Popen[str]"
    kafka: KafkaSettings
    folder: Path  # snapshots lie here
    log: Path
    versions: list[int] = field(default_factory=lambda: [0, *EARLIER])  # announced so far

    def statuses(self) -> list[NodeStatus]:
        """All that this node has said."""
        return [status for status in read_all(self.kafka, NODES) if status.node == self.name]

    def wait(self, condition: Callable[[NodeStatus], bool], seconds: float = 90.0) -> NodeStatus:
        """The node's newest status once it meets ``condition``."""
        deadline = time.monotonic() + seconds
        with closing(Follower(self.kafka, NODES)) as nodes:
            said = [each.record for each in nodes.to_end() if each.record.node == self.name]
            while not said or not condition(said[-1]):
                assert self.process.poll() is None, f"the node ended: {self.log.read_text()[-3000:]}"
                assert time.monotonic() < deadline, f"not in {seconds} s: {said[-1:]}; {self.log.read_text()[-3000:]}"
                said += [each.record for each in nodes.poll(_LOOK_SECONDS) if each.record.node == self.name]
            return said[-1]

    @cached_property
    def url(self) -> str:
        """Its vLLM server, which stays the same for as long as the process."""
        return self.statuses()[-1].url

    def label(self) -> str:
        """The version that vLLM itself says."""
        return str(httpx.get(f"{self.url}/weight_info").json()["weight_version"])

    def snapshot(self, seed: int) -> Path:
        """Other weights for the same model."""
        return make_tiny_model(self.folder / f"weights-{seed}", seed=seed)

    def announce(self, folder: Path, sha256: str | None = None, transfer: str | None = None) -> int:
        """Announce ``folder`` as the next version; its number. ``transfer``: where its trainer can be asked for it."""
        self.versions.append(self.versions[-1] + 1)
        announce(self.kafka, self.versions[-1], folder, sha256, transfer)
        return self.versions[-1]

    def stream(self, content: str = "hi", **options: Any) -> Said:
        """A streamed chat completion, asked as the gateway asks."""
        body = ASK | {"messages": [{"role": "user", "content": content}], "max_tokens": 32} | options
        with httpx.stream("POST", f"{self.url}/v1/chat/completions", json=body, timeout=120) as answer:
            assert answer.status_code == 200, answer.read()
            lines = answer.read().decode().split("\n")  # httpx would also cut at U+2028 and the like, inside of a text
            data = [line[len("data: ") :] for line in lines if line.startswith("data: ")]
        assert data[-1] == "[DONE]"
        return assembled([json.loads(each) for each in data[:-1]])

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def announcement(version: int, folder: Path, sha256: str | None = None, transfer: str | None = None) -> WeightVersion:
    """Of ``folder``, as the trainer says it."""
    return WeightVersion(
        model="policy",
        version=version,
        uri=folder.absolute().as_uri(),
        sha256=sha256 or weights_digest(folder),
        parent=version - 1,
        update_id=f"u{version}",
        created_at=now(),
        transfer=transfer,
    )


def announce(
    kafka: KafkaSettings, version: int, folder: Path, sha256: str | None = None, transfer: str | None = None
) -> None:
    """Announce ``folder``, as the trainer does."""
    weights = announcement(version, folder, sha256, transfer)
    producer = Producer(kafka, "test")
    producer.send(WEIGHTS, weights).result(timeout=30)
    producer.close()


def assembled(chunks: list[dict[str, Any]]) -> Said:
    """The whole answer."""
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    entries = [entry for choice in choices for entry in (choice.get("logprobs") or {}).get("content") or ()]
    return Said(
        prompt=chunks[0]["prompt_token_ids"],
        tokens=[token for choice in choices for token in choice.get("token_ids") or ()],
        logprobs=[entry["logprob"] for entry in entries],
        usage=next(chunk["usage"] for chunk in chunks if chunk.get("usage")),
        spans=chunks[-1]["weight_versions"],  # the last chunk before [DONE]
        tool_calls=[call for choice in choices for call in choice["delta"].get("tool_calls") or ()],
        finish_reason=next(choice["finish_reason"] for choice in choices if choice.get("finish_reason")),
    )


def together(count: int, call: Callable[[int], T]) -> list[T]:
    """``count`` calls at the same time; their answers in order. The first failure is raised."""
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(call, range(count)))


@contextmanager
def running_node(kafka: KafkaSettings, folder: Path, model: Path, name: str) -> Iterator[VllmNode]:
    """A node from the command line, not ready yet; killed at the end if it was not stopped."""
    log = folder / f"{name}.log"
    environment = os.environ | {
        "CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CLAWSTREAM_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
        "CLAWSTREAM_ROLLOUT_HEARTBEAT_SECONDS": "1",
    }
    flags = ["--model", str(model), "--name", name, "--max-model-len", "1024", "--threads", "1", "--transfer", "gloo"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "clawstream.cli.main", "--log-level", "DEBUG", "rollout", *flags],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        yield VllmNode(name=name, process=process, kafka=kafka, folder=folder, log=log)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def node(broker: LocalBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmNode]:
    """The session's node, ready. Its weights are announced with :meth:`VllmNode.announce`."""
    folder = tmp_path_factory.mktemp("node")
    prefix = f"node{uuid.uuid4().hex[:6]}-"
    kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, topic_prefix=prefix)
    create_missing(kafka)
    model = make_tiny_model(folder / "model", seed=0)
    gone = address("gloo", HOST, free_port())
    for version in EARLIER:
        announce(kafka, version, make_tiny_model(folder / f"weights-{version}", seed=version), transfer=gone)
    with running_node(kafka, folder, model, "node-0") as started:
        started.wait(lambda status: status.health == "ready", START_SECONDS)
        yield started
        assert started.stop() == 0
        assert started.statuses()[-1].health == "stopped"
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{started.url}/health")
