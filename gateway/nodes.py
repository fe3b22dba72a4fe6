"""The rollout nodes that answer now, and which of them a trajectory goes to.

Invariant: a trajectory keeps its node while that node lives (its prefix cache is there); when a node comes or goes,
only the trajectories of that node move (rendezvous hashing).
"""

import asyncio
import hashlib
import threading
import time
from collections.abc import Iterable
from datetime import datetime, timedelta

from prometheus_client import Gauge

from clawstream.gateway.errors import ApiError
from clawstream.schemas import NodeStatus, now
from clawstream.streams.consumer import Follower
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import NODES, WEIGHTS

_LIVE = Gauge("clawstream_nodes_live", "Rollout nodes that take requests")
_POLL_SECONDS = 0.1
_SERVING = ("ready", "swapping")


def choose(trajectory_id: str, nodes: Iterable[NodeStatus]) -> NodeStatus | None:
    """The node of ``trajectory_id`` among ``nodes``: the highest hash wins; None when there are none."""

    def weight(status: NodeStatus) -> bytes:
        return hashlib.blake2b(f"{status.node}\0{trajectory_id}".encode(), digest_size=8).digest()

    return max(nodes, key=weight, default=None)


def live(statuses: Iterable[NodeStatus], at: datetime, max_age: timedelta) -> list[NodeStatus]:
    """Nodes that take requests and have said so lately; clocks of machines must agree to within ``max_age``."""
    return [status for status in statuses if status.health in _SERVING and at - status.at < max_age]


class Nodes:
    """Follows ``nodes`` and ``weights`` from a thread."""

    def __init__(self, kafka: KafkaSettings, node_seconds: float) -> None:
        self._kafka, self._max_age = kafka, timedelta(seconds=node_seconds)
        self._statuses: dict[str, NodeStatus] = {}
        self._failed: dict[str, datetime] = {}  # nodes that refused a connection, until they speak again
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="nodes", daemon=True)
        self.newest_version = 0

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End following."""
        self._stop.set()
        self._thread.join()

    def live(self) -> list[NodeStatus]:
        """Nodes that take requests now."""
        statuses = live(list(self._statuses.values()), now(), self._max_age)
        found = [status for status in statuses if self._failed.get(status.node, status.at) <= status.at]
        _LIVE.set(len(found))
        return found

    def failed(self, status: NodeStatus) -> None:
        """Leave a node out until its next status."""
        self._failed[status.node] = now()

    async def pick(self, trajectory_id: str, wait_seconds: float) -> NodeStatus:
        """The node for ``trajectory_id``, waiting for one. Raises ``ApiError`` (503) when none comes."""
        deadline = time.monotonic() + wait_seconds
        while (chosen := choose(trajectory_id, self.live())) is None:
            if time.monotonic() > deadline:
                raise ApiError(503, f"no rollout node was ready within {wait_seconds:g} s", retry_after=5)
            await asyncio.sleep(_POLL_SECONDS)
        return chosen

    def _follow(self) -> None:
        nodes, weights = Follower(self._kafka, NODES), Follower(self._kafka, WEIGHTS)
        while not self._stop.is_set():
            for status in nodes.poll(_POLL_SECONDS):
                self._statuses[status.record.node] = status.record
            for announced in weights.poll(0.0):
                self.newest_version = announced.record.version
        nodes.close()
        weights.close()
