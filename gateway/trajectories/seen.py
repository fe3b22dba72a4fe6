"""Which trajectories this gateway knows of, their owners and their groups.

Invariant: known are those that were opened, called or submitted here, and those with a step or an opening in what was
read of the log, the ones used last, bounded in number. So a trajectory that is not known may still exist: it is older
than what is remembered and read back. The first tenant that was seen to use a trajectory stays its owner.
"""

import threading
from collections import OrderedDict
from typing import NamedTuple


class _Known(NamedTuple):
    tenant: str
    group_id: str | None


class Seen:
    """The trajectories seen last. Threads that read the log note them too."""

    def __init__(self, max_trajectories: int) -> None:
        self._max = max_trajectories
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def note(self, tenant: str, trajectory_id: str, group_id: str | None = None) -> None:
        """``tenant`` uses it, in ``group_id`` where that is known. Does nothing for who is not its owner."""
        with self._lock:
            before = self._known.get(trajectory_id)
            if before is not None and before.tenant != tenant:
                return
            self._known[trajectory_id] = _Known(tenant, group_id or (before.group_id if before else None))
            self._known.move_to_end(trajectory_id)
            while len(self._known) > self._max:
                self._known.popitem(last=False)

    def __contains__(self, trajectory_id: str) -> bool:
        return trajectory_id in self._known

    def owner(self, trajectory_id: str) -> str | None:
        """Its tenant, where it is known."""
        known = self._known.get(trajectory_id)
        return known.tenant if known else None

    def group(self, trajectory_id: str) -> str:
        """Its group as far as it is known; else its own, which the first step overrules."""
        known = self._known.get(trajectory_id)
        return (known.group_id if known else None) or trajectory_id
