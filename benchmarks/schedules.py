"""A simulation of schedules: how long the same samples take when training waits for generation, and when it does not.

Generation times have a long tail (log-normal, sigma 1.0); one slot generates one trajectory at a time; training a batch
takes ``train_seconds``. Synchronous: generate a batch, wait for its last trajectory, train, begin anew. Asynchronous
with lag L: slots are always full, but a trajectory begins only while fewer than ``(L + 1) * batch`` are begun and not
trained (AReaL's admission), so none is more than L versions old when it trains.
"""

import heapq
import statistics

import numpy as np


def speedups(
    lags: tuple[int, ...] = (0, 1, 2, 4), *, batches: int = 60, batch: int = 256, slots: int = 64
) -> dict[str, float]:
    """Synchronous time over asynchronous time, by lag."""
    random = np.random.default_rng(0)
    seconds = random.lognormal(0.0, 1.0, size=batches * batch).tolist()
    train_seconds = statistics.fmean(seconds) * batch / slots  # both machines equally strong
    batches_of = (seconds[first : first + batch] for first in range(0, len(seconds), batch))
    synchronous = sum(_all_done(each, slots) + train_seconds for each in batches_of)
    return {f"lag {lag}": synchronous / asynchronous(seconds, lag, batch, slots, train_seconds) for lag in lags}


def asynchronous(seconds: list[float], lag: int, batch: int, slots: int, train_seconds: float) -> float:
    """When the last batch is trained."""
    waiting, running = list(seconds[::-1]), list[float]()
    clock = trained_at = 0.0
    begun = ready = trained = 0
    training_ends: float | None = None
    while trained < len(seconds):
        while waiting and len(running) < slots and begun - trained < (lag + 1) * batch:
            heapq.heappush(running, clock + waiting.pop())
            begun += 1
        if training_ends is None and ready >= batch:
            ready -= batch
            training_ends = clock + train_seconds
        clock = min([*running[:1], *([training_ends] if training_ends is not None else [])])
        if running and running[0] <= clock:
            heapq.heappop(running)
            ready += 1
        if training_ends is not None and training_ends <= clock:
            trained, trained_at, training_ends = trained + batch, clock, None
    return trained_at


def _all_done(seconds: list[float], slots: int) -> float:
    free = [0.0] * slots
    for each in seconds:
        heapq.heapreplace(free, free[0] + each)
    return max(free)
