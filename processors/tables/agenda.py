"""When to look at what is open: at once after a change, else when its next deadline passes. Pure.

Invariant: what was not touched and has no deadline before now is not looked at, so looking costs nothing for it. Every
key that is on the agenda is handed out by its time at the latest.
"""

import heapq

_SLACK = 1000


class Agenda:
    """Keys and when to look at each; the earliest time that was said last counts."""

    def __init__(self) -> None:
        self._touched: dict[bytes, None] = {}
        self._times: dict[bytes, int] = {}
        self._heap: list[tuple[int, bytes]] = []

    def touch(self, key: bytes) -> None:
        """Look at ``key`` next time."""
        self._touched[key] = None

    def look_at(self, key: bytes, moment_ms: int) -> None:
        """Look at ``key`` at ``moment_ms``, unless it is touched before, and at no time that was said earlier."""
        self._times[key] = moment_ms
        heapq.heappush(self._heap, (moment_ms, key))
        if len(self._heap) > 2 * len(self._times) + _SLACK:
            self._heap = [(at, known) for known, at in self._times.items()]
            heapq.heapify(self._heap)

    def take(self, now_ms: int) -> list[bytes]:
        """Every key to look at now, each once; they leave the agenda."""
        keys, self._touched = self._touched, {}
        while self._heap and self._heap[0][0] <= now_ms:
            at, key = heapq.heappop(self._heap)
            if self._times.get(key) == at:
                keys[key] = None
        for key in keys:
            self._times.pop(key, None)
        return list(keys)

    def clear(self) -> None:
        """Nothing is to be looked at."""
        self._touched.clear()
        self._times.clear()
        self._heap.clear()
