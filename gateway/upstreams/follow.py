"""The newest node statuses and policy version, followed from Kafka in threads."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from clawstream.gateway.upstreams.routing import live, starting
from clawstream.schemas import NodeStatus, Record, WeightVersion, now
from clawstream.streams.reading.consumer import Follower

R = TypeVar("R", bound=Record)

_POLL_SECONDS = 0.2


def follow(follower: Follower[R], apply: Callable[[R], None], stop: threading.Event) -> None:
    """Hand every record to ``apply`` until ``stop`` is set, then close. Blocks; give it a thread of its own."""
    try:
        while not stop.is_set():
            for received in follower.poll(_POLL_SECONDS):
                apply(received.record)
    finally:
        follower.close()


class Nodes:
    """What each node said last. ``apply`` is called by a thread, the rest by the event loop."""

    def __init__(self, max_age_seconds: float, clock: Callable[[], datetime] = now) -> None:
        self._max_age_seconds, self._clock = max_age_seconds, clock
        self._statuses: dict[str, NodeStatus] = {}
        self._unreachable: dict[str, NodeStatus] = {}
        self._ailing: dict[str, NodeStatus] = {}

    def apply(self, status: NodeStatus) -> None:
        """Take in a node's newest status."""
        self._statuses[status.node] = status

    def get(self, node: str) -> NodeStatus | None:
        """What ``node`` said last."""
        return self._statuses.get(node)

    def unreachable(self, status: NodeStatus) -> None:
        """Leave a node out that could not be connected to, until it says something newer than ``status``."""
        self._unreachable[status.node] = status

    def ailing(self, status: NodeStatus) -> None:
        """Try a node last that failed over a call, until it says something newer than ``status``."""
        self._ailing[status.node] = status

    def is_ailing(self, status: NodeStatus) -> bool:
        """Is it to be tried last?"""
        return self._ailing.get(status.node) == status

    def live(self) -> list[NodeStatus]:
        """Nodes to which a call may go now."""
        found = live(list(self._statuses.values()), self._clock(), self._max_age_seconds)
        return [status for status in found if self._unreachable.get(status.node) != status]

    def starting(self) -> list[NodeStatus]:
        """Nodes to which calls can go soon."""
        return starting(list(self._statuses.values()), self._clock(), self._max_age_seconds)


class Versions:
    """The newest policy versions that were announced; each model counts its own. ``apply`` is called by a thread."""

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}  # of adapters in service, and of whole models
        self._whole: str | None = None  # the whole model that was announced first: it answers who names none

    def apply(self, weights: WeightVersion) -> None:
        """Take in an announcement."""
        if weights.retired:
            self._newest.pop(weights.model, None)
            return
        self._newest[weights.model] = weights.version
        if weights.base is None and self._whole is None:
            self._whole = weights.model

    @property
    def newest(self) -> int:
        """Of the whole model; 0 before the first."""
        return self._newest.get(self._whole or "", 0)

    def apart(self, model: str | None) -> str | None:
        """``model`` where it is an adapter in service, or another whole model; None where the whole model answers."""
        return model if model in self._newest and model != self._whole else None

    def of(self, model: str | None) -> int:
        """The newest version of ``model``, or of the whole one: for None, and for an adapter that is retired."""
        return self.newest if model is None else self._newest.get(model, self.newest)
