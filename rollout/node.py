"""A node: which weights it serves, and what it says of itself.

Invariant: ``nodes`` says ``ready`` at a version only while exactly that version's weights serve. The last announcement in
``weights`` counts, so a rollback is an older version announced again, and a node that joins late loads it before it is
ready::

    starting -> (newest announced version loaded) -> ready -> swapping -> ready ... -> stopped
"""

import logging
import time
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

from clawstream.rollout.engine import Engine
from clawstream.rollout.settings import RolloutSettings
from clawstream.rollout.swap import SwapError, WeightSwap
from clawstream.schemas import NodeHealth, NodeStatus, WeightVersion, now
from clawstream.streams.consumer import Follower
from clawstream.streams.producer import Producer
from clawstream.streams.snapshots import SnapshotError, verified_folder, weights_digest
from clawstream.topics import NODES

_log = logging.getLogger(__name__)
_VERSION = Gauge("clawstream_node_version", "Policy version being served")
_SWAPS = Counter("clawstream_swaps", "Weight swaps", ["outcome"])
_SWAP_SECONDS = Histogram(
    "clawstream_swap_seconds", "Duration of a swap", buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
)


class Node:
    """Serves the newest announced version of one model."""

    def __init__(
        self, settings: RolloutSettings, engine: Engine, weights: Follower[WeightVersion], producer: Producer
    ) -> None:
        self._settings, self._engine, self._weights, self._producer = settings, engine, weights, producer
        self._swap = WeightSwap(engine.url, settings.swap_seconds)
        self._folder, self._digest, self.version = settings.model, weights_digest(settings.model), 0
        self._refused: str | None = None  # digest of a snapshot that cannot be loaded, so that it is tried once
        self._announced_at = 0.0

    def start(self) -> None:
        """Load what was announced last, then say that the node is ready."""
        self.announce("starting")
        self._swap.label(self.version)
        newest: WeightVersion | None = None
        for received in self._weights.to_end():
            newest = received.record if received.record.model == self._settings.model_name else newest
        if newest is not None:
            self._follow(newest)
        self.announce("ready")

    def step(self, timeout_seconds: float) -> None:
        """Take announcements that arrive within the time; repeat the status when it is due."""
        self._engine.check()
        received = self._weights.poll(timeout_seconds)
        wanted = [entry.record for entry in received if entry.record.model == self._settings.model_name]
        if wanted and self._follow(wanted[-1]):
            self.announce("ready")
        elif time.monotonic() - self._announced_at > self._settings.heartbeat_seconds:
            self.announce("ready")

    def announce(self, health: NodeHealth) -> None:
        """Put the status into ``nodes``."""
        self._announced_at = time.monotonic()
        _VERSION.set(self.version)
        status = NodeStatus(
            node=self._settings.name,
            url=self._engine.url,
            model=self._settings.model_name,
            version=self.version,
            health=health,
            logprobs_mode=self._settings.logprobs_mode,
            max_model_len=self._settings.max_model_len,
            at=now(),
        )
        self._producer.send(NODES, status).result(timeout=60)

    def close(self) -> None:
        """Say that the node is gone."""
        self._swap.close()
        self.announce("stopped")

    def _follow(self, wanted: WeightVersion) -> bool:
        """Serve ``wanted``; True when the version served has changed."""
        if wanted.sha256 == self._refused or (wanted.version, wanted.sha256) == (self.version, self._digest):
            return False
        if wanted.sha256 == self._digest:
            self._swap.label(wanted.version)
            self.version = wanted.version
            return True
        try:
            self._load(verified_folder(wanted.uri, wanted.sha256), wanted)
        except (SnapshotError, SwapError) as error:
            self._refused = wanted.sha256
            _SWAPS.labels("refused").inc()
            _log.error("version %d is not served: %s", wanted.version, error)
            return False
        return True

    def _load(self, folder: Path, wanted: WeightVersion) -> None:
        self.announce("swapping")
        started = time.monotonic()
        try:
            self._swap.swap(folder, wanted.version, fallback=(self._folder, self.version))
        except SwapError:
            self.announce("ready")
            raise
        self._folder, self._digest, self.version = folder, wanted.sha256, wanted.version
        seconds = time.monotonic() - started
        _SWAPS.labels("loaded").inc()
        _SWAP_SECONDS.observe(seconds)
        _log.info("serving version %d (swap %.0f ms)", self.version, seconds * 1000)
