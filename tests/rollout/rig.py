"""A node on vLLM's control routes alone, and the trainer's side of ``weights``."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from clawstream.rollout.engine import Engine, EngineError
from clawstream.rollout.node import Node
from clawstream.rollout.settings import RolloutSettings
from clawstream.schemas import WeightVersion, now
from clawstream.streams.files.snapshots import weights_digest
from clawstream.streams.reading.consumer import Follower, read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import NODES, WEIGHTS
from tests.rollout.fake_vllm import FakeVllm
from tests.tiny_model import make_tiny_model


class FakeEngine:
    """A process that answers until it is told that it died."""

    def __init__(self, url: str) -> None:
        self.url, self.dead, self.silent = url, False, False

    def check(self) -> None:
        if self.dead:
            raise EngineError("vLLM ended")

    def wait_ready(self, _: float, stopped: Callable[[], bool]) -> bool:
        while self.silent and not stopped():
            time.sleep(0.05)
        return not stopped()

    def answers(self) -> bool:
        return not self.silent


class Rig:
    """A node on its fake server, and the trainer's side of ``weights``."""

    def __init__(
        self,
        kafka: KafkaSettings,
        vllm: FakeVllm,
        folder: Path,
        heartbeat_seconds: float = 60.0,
        name: str = "n1",
        adapters: int = 0,
    ) -> None:
        self.kafka, self.vllm, self.folder = kafka, vllm, folder
        self.model = make_tiny_model(folder / "model", seed=0)
        self.engine, self.producer, self.follower = (
            FakeEngine(vllm.url),
            Producer(kafka, "test"),
            Follower(kafka, WEIGHTS),
        )
        settings = RolloutSettings(model=self.model, heartbeat_seconds=heartbeat_seconds, adapters=adapters)
        self.nodes = Follower(kafka, NODES)
        self.kept = folder / "kept"
        self.kept.mkdir()
        self.node = Node(name, settings, cast(Engine, self.engine), self.follower, self.nodes, self.producer, self.kept)

    def announce(
        self,
        version: int,
        seed: int | None = None,
        model: str = "policy",
        sha256: str = "",
        base: str | None = None,
        *,
        uri: str = "",
        retired: bool = False,
    ) -> None:
        """Announce the weights of ``seed``; those of the node's own model without one."""
        folder = self.model if seed is None else make_tiny_model(self.folder / f"w{seed}", seed=seed)
        weights = WeightVersion(
            model=model,
            version=version,
            uri=uri or folder.as_uri(),
            sha256=sha256 or weights_digest(folder),
            parent=None,
            update_id=None,
            created_at=now(),
            base=base,
            retired=retired,
        )
        self.producer.send(WEIGHTS, weights).result(timeout=30)

    def steps(self, seconds: float = 1.0) -> None:
        """Let the node take what was announced."""
        for _ in range(int(seconds / 0.1)):
            self.node.step(0.1)

    def close(self) -> None:
        """Close what talks to Kafka."""
        self.follower.close()
        self.nodes.close()
        self.producer.close()

    @property
    def said(self) -> list[tuple[str, int]]:
        """Health and version, as announced so far."""
        return [(status.health, status.version) for status in read_all(self.kafka, NODES)]

    @property
    def loaded(self) -> list[str]:
        """Folders that vLLM was told to load."""
        return [Path(body["kwargs"]["weights_path"]).name for body in self.vllm.bodies if body and "kwargs" in body]
