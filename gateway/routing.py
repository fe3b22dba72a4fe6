"""Which node answers.

Invariant: rendezvous hashing, so a trajectory stays with its node, and when a node comes or goes only its own move.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from clawstream.schemas import NodeStatus

SERVING = frozenset({"ready", "swapping"})


def live(nodes: Iterable[NodeStatus], at: datetime, max_age_seconds: float) -> list[NodeStatus]:
    """Nodes that serve and said so within ``max_age_seconds`` before ``at``. A node that swaps weights serves on."""
    return [
        status for status in nodes if status.health in SERVING and (at - status.at).total_seconds() <= max_age_seconds
    ]


def serving(nodes: list[NodeStatus], model: str | None) -> list[NodeStatus]:
    """Nodes that serve ``model``; all of them when none does, since any model name is accepted."""
    return [status for status in nodes if status.model == model] or nodes


def ranked(nodes: Iterable[NodeStatus], trajectory_id: str) -> list[NodeStatus]:
    """``nodes`` in the order in which ``trajectory_id`` tries them, whatever the order they are given in."""
    return sorted(nodes, key=lambda status: _weight(status.node, trajectory_id), reverse=True)


def _weight(node: str, trajectory_id: str) -> bytes:
    return hashlib.blake2b(f"{len(node)}:{node}{trajectory_id}".encode(), digest_size=8).digest()
