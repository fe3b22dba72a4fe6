"""A topic that every gateway process writes to, followed by each of them.

Invariant: the log is the only channel between gateways, so what one knew is told to the others whether it lives or was
killed. A record counts as reached once it was taken in.
"""

import asyncio
import contextlib
import threading
from abc import ABC, abstractmethod

from clawstream.streams.errors import KafkaUnreachableError
from clawstream.streams.reading.tail import RawRecord, Tail

_POLL_SECONDS = 0.2
_GATHER_SECONDS = 0.01
_LOOK_AGAIN_SECONDS = 0.002
_READ_BACK_SECONDS = 5.0


class Following(ABC):
    """Follows ``tail`` in a thread; the event loop may wait for its end."""

    def __init__(self, tail: Tail, catch_up_seconds: float) -> None:
        self._tail, self._seconds = tail, catch_up_seconds

    @abstractmethod
    def take(self, record: RawRecord) -> None:
        """Take ``record`` in; in the thread."""

    def follow(self, stop: threading.Event) -> None:
        """Take records in until ``stop`` is set, then close. Blocks; give it a thread of its own."""
        try:
            while not stop.is_set():
                records = self._tail.poll(_POLL_SECONDS)
                for record in records:
                    self.take(record)
                if records:  # waking for every record would cost each call more than taking it in
                    stop.wait(_GATHER_SECONDS)
        finally:
            self._tail.close()

    async def read_back(self) -> None:
        """Wait until the end of the log as it is now has been seen, some seconds at most: a start must not hang."""
        with contextlib.suppress(TimeoutError, KafkaUnreachableError):
            async with asyncio.timeout(_READ_BACK_SECONDS):
                for partition, end in (await self._tail.ends()).items():
                    await self._reach(partition, end)

    async def catch_up(self, trajectory_id: str) -> bool:
        """Wait until all that is in the log of the trajectory now has been seen; did it get so far in time?"""
        partition = self._tail.partition(trajectory_id)
        with contextlib.suppress(TimeoutError, KafkaUnreachableError):
            async with asyncio.timeout(self._seconds):
                end = await self._tail.end(partition)
                await self._reach(partition, end)
                return True
        return False

    async def _reach(self, partition: int, end: int) -> None:
        while True:
            if self._tail.reached(partition) >= end:
                return
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
