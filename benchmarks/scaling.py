"""How many of what for how many agents: arithmetic over benchmarks/results/, nothing is run.

    python -m benchmarks.scaling [--seconds-per-call 20] [--step-kb 8] [--replicas 3] [--days 30]

What was measured on one machine is taken as a core's or a process's share, and planned at 70 %: queueing.py shows what
bursts do beyond. GPUs are not in it: how fast nodes sample is the model's affair.
"""

import argparse
import json
import math
from dataclasses import dataclass

from benchmarks.report import RESULTS

AGENTS = (1, 100, 1_000, 10_000, 100_000, 1_000_000)
_PLANNED = 0.7
_COPIES = 3.0  # bytes that follow a step: its trajectory's tokens in a sample, and the tables' changelogs twice
_BROKER_MB_PER_SECOND = 100.0  # written on each broker: below what one SSD and a 10 Gbit/s link take


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one process takes."""

    gateway_cpu_ms: float  # of a call of 4 000 tokens, whole, 32 at a time
    gateway_calls: float  # in flight at most, per process
    worker_steps: float  # a second, 20 KB each

    @classmethod
    def read(cls) -> "Measured":
        """From the committed results."""
        gateway, processors = (json.loads((RESULTS / f"{name}.json").read_text()) for name in ("gateway", "processors"))
        wanted = {"prompt_tokens": 4000, "concurrency": 32, "stream": False}
        (case,) = [each for each in gateway["cases"] if wanted.items() <= each.items()]
        (worker,) = [each for each in processors["cases"] if (each["step_bytes"], each["workers"]) == (20_000, 1)]
        return cls(gateway_cpu_ms=case["gateway"]["cpu_ms_per_call"], gateway_calls=1024, worker_steps=worker["rate"])


def plan(agents: int, measured: Measured, arguments: argparse.Namespace) -> dict[str, float]:
    """What ``agents`` need."""
    calls = agents / arguments.seconds_per_call
    gateways = _at_least_one(calls * measured.gateway_cpu_ms / 1000)
    workers = _at_least_one(calls / measured.worker_steps)
    written = calls * arguments.step_kb / 1000 * (1 + _COPIES) * arguments.replicas
    kept = calls * arguments.step_kb / 1e9 * 2 * arguments.replicas * 86_400 * arguments.days  # steps and samples
    brokers = max(arguments.replicas, math.ceil(written / _BROKER_MB_PER_SECOND / _PLANNED))
    return {
        "agents": agents,
        "calls_per_second": calls,
        "gateways": gateways,
        "workers": workers,
        "partitions": 4 * math.ceil(workers / 2),
        "brokers": brokers,
        "written_mb_per_second": written,
        "kept_tb": kept,
    }


def _at_least_one(share: float) -> int:
    return max(1, math.ceil(share / _PLANNED))


def row(found: dict[str, float]) -> str:
    """One line of the table, as docs/scaling.md has it."""
    return f"| {' | '.join(_short(number) for number in found.values())} |"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 or number == round(number) else f"{number:.2g}"


def main(arguments: argparse.Namespace) -> None:
    """Every count of agents."""
    plans = [plan(agents, Measured.read(), arguments) for agents in AGENTS]
    header = "| agents | calls/s | gateway processes | workers | partitions | brokers | MB/s written | TB kept |"
    print("\n".join([header, "|" + " --: |" * header.count(" | ") + " --: |", *map(row, plans)]))


def parse(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds-per-call", type=float, default=20.0, help="of one agent, from call to call")
    parser.add_argument(
        "--step-kb", type=float, default=8.0, help="of a step in Kafka: what is new in its prompt, and the answer"
    )
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--days", type=float, default=30.0, help="that steps and samples are kept")
    return parser.parse_args(given)


if __name__ == "__main__":
    main(parse())
