"""Whose turn it is to load a version. Pure.

Invariant: of the nodes of a model at most half load at the same time, and one of a few, so calls always find nodes that
do not; and nobody waits for others for longer than the deadline::

    n1, n2, n3 serve 6, and 7 is announced      n1 loads
    n1 serves 7                                 n2 loads
    n2 refuses 7, or has died                   n3 loads after the deadline
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from clawstream.schemas import NodeStatus

_LIVE = frozenset({"ready", "swapping"})
_SILENT = timedelta(seconds=15.0)  # three heartbeats, unless settings say otherwise


def has_turn(node: str, model: str, version: int, heard: Iterable[NodeStatus], at: datetime) -> bool:
    """Whether ``node`` may load ``version`` of ``model`` at ``at``, as far as others were ``heard``, each last."""
    others = [
        each
        for each in heard
        if each.model == model and each.node != node and each.health in _LIVE and at - each.at <= _SILENT
    ]
    before = sum(each.node < node and each.version < version for each in others)
    return before < max(1, (len(others) + 1) // 2)
