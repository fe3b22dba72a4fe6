"""How long steps wait for processors when rollouts come in bursts, with long tails. A simulation, without Kafka.

    python -m benchmarks.queueing [--workers 4] [--partitions 12] [--steps-per-second 3000]

Groups of rollouts start at random moments, all members of a group at once; a rollout is a geometric number of steps
with log-normal times between them. Each trajectory's steps go to one partition, each partition to one worker, and a
worker takes steps in order at its measured rate. Reported for several loads: how long a step waits, and how many wait
at most.
"""

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import publish

_UTILISATIONS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
_GROUP_SIZE, _MEAN_STEPS = 8, 6.0
_BETWEEN_SECONDS, _SPREAD = 2.0, 1.2  # median time between steps of a rollout, and sigma of its logarithm
_SECONDS, _WARM_SECONDS = 600.0, 120.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Load:
    """Steps as they reach Kafka."""

    at: Floats  # seconds, ascending
    partition: NDArray[np.int64]


def rollouts(rate: float, partitions: int, random: np.random.Generator, *, at_once: float = 0.0) -> Load:
    """Steps at ``rate`` a second on average; ``at_once``: share of all groups that start in one moment."""
    groups = round(rate * _SECONDS / (_GROUP_SIZE * _MEAN_STEPS))
    starts = np.where(random.random(groups) < at_once, _SECONDS / 2, random.random(groups) * _SECONDS)
    begun = np.repeat(starts, _GROUP_SIZE)
    counts = random.geometric(1 / _MEAN_STEPS, begun.size)
    gaps = _BETWEEN_SECONDS * random.lognormal(sigma=_SPREAD, size=counts.sum())
    firsts = np.cumsum(counts) - counts
    elapsed = np.cumsum(gaps)
    before = np.repeat(elapsed[firsts] - gaps[firsts], counts)
    at = np.repeat(begun, counts) + elapsed - before
    partition = np.repeat(random.integers(0, partitions, begun.size), counts)
    order = np.argsort(at, kind="stable")
    return Load(at=at[order], partition=partition[order])


def waits(load: Load, workers: int, rate: float) -> tuple[Floats, int]:
    """Seconds that each step waits until it has been taken, and the most that ever wait at one worker (Lindley)."""
    found, most = [], 0
    for worker in range(workers):
        at = load.at[load.partition % workers == worker]
        done = np.arange(1, at.size + 1) / rate + np.maximum.accumulate(at - np.arange(at.size) / rate)
        waiting = np.arange(1, at.size + 1) - np.searchsorted(done, at, side="right")
        most = max(most, int(waiting.max(initial=0)))
        found.append((done - at)[(at > _WARM_SECONDS) & (at < _SECONDS)])
    return np.concatenate(found), most


def simulated(arguments: argparse.Namespace, utilisation: float, at_once: float) -> dict[str, Any]:
    """One load."""
    total = utilisation * arguments.workers * arguments.steps_per_second
    load = rollouts(total, arguments.partitions, np.random.default_rng(0), at_once=at_once)
    seconds, most = waits(load, arguments.workers, arguments.steps_per_second)
    p50, p99 = np.percentile(seconds, [50, 99])
    found = {"utilisation": utilisation, "at_once": at_once, "p50_s": float(p50), "p99_s": float(p99)}
    return found | {"longest_s": float(seconds.max()), "most_waiting": most}


def main(arguments: argparse.Namespace) -> None:
    """Every load, steady and with a tenth of all groups in one moment."""
    cases = [simulated(arguments, each, at_once) for at_once in (0.0, 0.1) for each in _UTILISATIONS]
    rows = [("", "p50 ms, p99 ms, longest ms, most that wait")]
    for case in cases:
        name = f"load {case['utilisation']:.2f}" + (", a tenth at once" if case["at_once"] else "")
        times = "".join(f"{1000 * case[key]:9.0f}" for key in ("p50_s", "p99_s", "longest_s"))
        rows.append((name, f"{times}{case['most_waiting']:9d}"))
    publish("queueing", rows, {"arguments": vars(arguments), "cases": cases})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--steps-per-second", type=float, default=3000.0, help="of one worker, as processors.py has it")
    main(parser.parse_args())
