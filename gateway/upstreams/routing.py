"""Which node answers.

Invariant: rendezvous hashing, so a trajectory stays with its node, and when a node comes or goes only its own move. A
node with more than its share of calls under way passes what comes on to the one with the fewest::

    under way   n1: 9   n2: 2   n3: 1      share of 13 calls: 4.3, at most 5.4 by 1.25
    a trajectory of n1's                   tries n3, n2, n1
    a trajectory of n2's                   tries n2, n3, n1
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from clawstream.schemas import NodeStatus

SERVING = frozenset({"ready", "swapping"})
_STARTING = frozenset({"starting"})

_MOST_SHARES = 1.25
_LEAST_CALLS = 4  # under way, below which no node has too many
_IDLE: Mapping[str, int] = {}


def live(nodes: Iterable[NodeStatus], at: datetime, max_age_seconds: float) -> list[NodeStatus]:
    """Nodes that serve and said so within ``max_age_seconds`` before ``at``. A node that swaps weights serves on."""
    return _saying(SERVING, nodes, at, max_age_seconds)


def starting(nodes: Iterable[NodeStatus], at: datetime, max_age_seconds: float) -> list[NodeStatus]:
    """Nodes that will serve, and said so within ``max_age_seconds`` before ``at``."""
    return _saying(_STARTING, nodes, at, max_age_seconds)


def _saying(
    healths: frozenset[str], nodes: Iterable[NodeStatus], at: datetime, max_age_seconds: float
) -> list[NodeStatus]:
    return [each for each in nodes if each.health in healths and (at - each.at).total_seconds() <= max_age_seconds]


def serving(nodes: list[NodeStatus], model: str | None) -> list[NodeStatus]:
    """Nodes that serve ``model``; those of whole models when none does, since any model name is accepted."""
    return [status for status in nodes if status.model == model] or [each for each in nodes if each.base is None]


def ranked(nodes: Iterable[NodeStatus], trajectory_id: str, under_way: Mapping[str, int] = _IDLE) -> list[NodeStatus]:
    """``nodes`` in the order in which ``trajectory_id`` tries them, whatever the order they are given in.

    ``under_way``: calls that each node has now, by its name.
    """
    order = sorted(nodes, key=lambda status: _weight(status.node, trajectory_id), reverse=True)
    calls = [under_way.get(status.node, 0) for status in order]
    if not order or calls[0] < max(_LEAST_CALLS, _MOST_SHARES * (sum(calls) + 1) / len(order)):
        home, others = order[:1], order[1:]
    else:
        home, others = [], order
    return home + sorted(others, key=lambda status: under_way.get(status.node, 0))


def _weight(node: str, trajectory_id: str) -> bytes:
    return hashlib.blake2b(f"{len(node)}:{node}{trajectory_id}".encode(), digest_size=8).digest()
