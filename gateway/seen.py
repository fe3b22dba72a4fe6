"""Which trajectories this gateway knows of, and their groups.

Invariant: known are those that were opened, called or submitted here, and those with a step in what was read of the
log, the ones used last, bounded in number. So a trajectory that is not known may still exist: it was opened at another
gateway and not called yet, or it is older than what is remembered and read back.
"""

import threading
from collections import OrderedDict


class Seen:
    """The trajectories seen last. Threads that read the log note them too."""

    def __init__(self, max_trajectories: int) -> None:
        self._max = max_trajectories
        self._lock = threading.Lock()
        self._groups: OrderedDict[str, str | None] = OrderedDict()

    def note(self, trajectory_id: str, group_id: str | None = None) -> None:
        """It exists, in ``group_id`` where that is known."""
        with self._lock:
            self._groups[trajectory_id] = group_id or self._groups.get(trajectory_id)
            self._groups.move_to_end(trajectory_id)
            while len(self._groups) > self._max:
                self._groups.popitem(last=False)

    def __contains__(self, trajectory_id: str) -> bool:
        return trajectory_id in self._groups

    def group(self, trajectory_id: str) -> str:
        """Its group as far as it is known; else its own, which the first step overrules."""
        return self._groups.get(trajectory_id) or trajectory_id
