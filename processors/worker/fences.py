"""Up to which moment a partition's events have been taken. Pure.

A fence is the end of a partition at a moment. Once everything before the fence has been taken, every event that was in
the log at that moment has been::

    12:00:00.0  end of steps[3] is 70      fence (70, 12:00:00.0)
    12:00:00.2  record 69 has been taken   settled until 12:00:00.0; the next fence is set
"""

from dataclasses import dataclass, field


class GapError(RuntimeError):
    """Records of a partition were left out."""


@dataclass(kw_only=True)
class Fences:
    """Fences of the partitions of one topic."""

    taken: dict[int, int] = field(default_factory=dict)  # next offset to take, by partition
    _due: dict[int, int] = field(default_factory=dict)  # next offset to read, by partition
    _fences: dict[int, tuple[int, int]] = field(default_factory=dict)  # end offset, time in ms
    _settled: dict[int, int] = field(default_factory=dict)  # time in ms

    def expect(self, partition: int, offset: int) -> None:
        """The record at ``offset`` is about to be taken. Raises ``GapError`` when one before it was not."""
        due = self._due.get(partition, offset)
        if offset > due:
            raise GapError(f"partition {partition}: record {due} is due, but {offset} was read")
        self._due[partition] = offset + 1

    def took(self, partition: int, offset: int) -> None:
        """The record at ``offset`` has been taken, and all before it."""
        self.taken[partition] = max(offset + 1, self.taken.get(partition, 0))

    def observe(self, ends: dict[int, int], now_ms: int) -> None:
        """The partitions' ends at ``now_ms``; a fence that was passed gives way to the next."""
        for partition, end in ends.items():
            fence_end, fence_ms = self._fences.setdefault(partition, (end, now_ms))
            taken = self.taken.get(partition, 0)
            if taken >= end:
                fence_end, fence_ms = end, now_ms
            if taken >= fence_end:
                self._settled[partition] = fence_ms
                self._fences[partition] = (end, now_ms)

    def settled_ms(self, partition: int) -> int:
        """The moment up to which all events of ``partition`` have been taken; 0 when it is not known yet."""
        return self._settled.get(partition, 0)

    def start(self, offsets: dict[int, int]) -> None:
        """Partitions were assigned anew; those before ``offsets`` have been taken, by whom ever."""
        self.taken, self._due, self._fences, self._settled = dict(offsets), dict(offsets), {}, {}
