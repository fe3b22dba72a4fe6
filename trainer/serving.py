"""Which version the nodes serve. Pure: statuses and the clock go in.

Invariant: a version is current when every live node serves it; a node that is silent, or keeps an older version than
it was told of, for longer than the deadline is fenced: nobody waits for it, and it is counted::

    announced 7, 8      node a at 8, node b at 7      publish lag 1
    ... the deadline passes, b is still at 7          publish lag 0, fenced 1
"""

from dataclasses import dataclass

from clawstream.schemas import NodeStatus

_LIVE = ("ready", "swapping")


@dataclass(frozen=True, kw_only=True)
class _Node:
    version: int
    swapping: bool  # to a later one
    heard_at: float


class Serving:
    """The nodes of one model."""

    def __init__(self, model: str, deadline_seconds: float) -> None:
        self._model, self._deadline_seconds = model, deadline_seconds
        self._nodes: dict[str, _Node] = {}
        self._announced: dict[int, float] = {}  # versions that some node may lack, ascending, and since when

    def note(self, status: NodeStatus, at_seconds: float) -> None:
        """Take in what a node said at ``at_seconds`` of any monotonic clock."""
        if status.model != self._model:
            return
        if status.health in _LIVE:
            self._nodes[status.node] = _Node(
                version=status.version, swapping=status.health == "swapping", heard_at=at_seconds
            )
        else:
            self._nodes.pop(status.node, None)

    def announce(self, version: int, at_seconds: float) -> None:
        """``version`` has been announced."""
        self._announced[version] = at_seconds
        oldest = min((node.version for node in self._nodes.values()), default=version)
        self._announced = {known: since for known, since in self._announced.items() if known >= min(oldest, version)}

    def publish_lag(self, at_seconds: float) -> int | None:
        """Versions that the slowest live node is behind the newest announced one; ``None`` when no node is live."""
        newest = max(self._announced, default=0)
        served = [node.version for node in self._nodes.values() if not self._fenced(node, at_seconds)]
        return max(0, newest - min(served)) if served else None

    def fenced(self, at_seconds: float) -> int:
        """How many nodes nobody waits for."""
        return sum(self._fenced(node, at_seconds) for node in self._nodes.values())

    def needed(self, at_seconds: float) -> frozenset[int]:
        """Versions whose folders a node may read: those that are served, and any that is being swapped in.

        Fenced or not: a node that is heard serves, however far it is behind.
        """
        heard = [node for node in self._nodes.values() if at_seconds - node.heard_at <= self._deadline_seconds]
        loading = min((node.version for node in heard if node.swapping), default=None)
        later = {version for version in self._announced if loading is not None and version > loading}
        return frozenset({node.version for node in heard} | later)

    def _fenced(self, node: _Node, at_seconds: float) -> bool:
        lacking = [since for version, since in self._announced.items() if version > node.version]
        waited_since = min(lacking, default=at_seconds)
        return at_seconds - min(node.heard_at, waited_since) > self._deadline_seconds
