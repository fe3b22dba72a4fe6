"""A limit of records per second."""

import asyncio
import time


class Pace:
    """Keeps the mean rate from the start at or below ``rate`` records a second; 0: as fast as it goes."""

    def __init__(self, rate: float) -> None:
        self._rate, self._started, self._done = rate, time.monotonic(), 0

    def seconds_to_wait(self, at_seconds: float) -> float:
        """How long to rest at ``at_seconds``, by the monotonic clock."""
        if not self._rate:
            return 0.0
        return max(0.0, self._started + self._done / self._rate - at_seconds)

    async def took(self, records: int) -> None:
        """Note ``records``, and rest as long as they are too many."""
        self._done += records
        await asyncio.sleep(self.seconds_to_wait(time.monotonic()))
