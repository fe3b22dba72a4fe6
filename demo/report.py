"""What the demo leaves behind: a plot, figures for scripts, and a page of text."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from clawstream.demo.account import Account
from clawstream.schemas import UpdateReport


@dataclass(frozen=True, kw_only=True)
class Result:
    """The demo's figures, as in ``result.json``."""

    success_before: float  # share of held-out tasks solved by the warmed-up policy
    success_after: float  # the same tasks, after learning
    policy_versions: int  # trained when the tasks were solved again; what came later is not in the plot either
    calls: int  # model calls answered 200
    calls_failed: int  # the others, also where the client then tried again
    steps: int
    samples: int
    rejected: int
    trained_twice: int
    steps_open: int
    steps_twice: int
    setup_seconds: float | None  # environment and Kafka; null where make did not measure it
    warmup_seconds: float  # making the model, part of run_seconds
    run_seconds: float


def write_result(result: Result, path: Path) -> None:
    """Write ``result`` as JSON."""
    path.write_text(json.dumps(result.__dict__, indent=2) + "\n")


def print_result(console: Console, result: Result, account: Account, folder: Path) -> None:
    """Say how it went and where to look."""
    written = Table(title="What was written", title_justify="left")
    written.add_column("topic", style="cyan")
    written.add_column("records", justify="right")
    for topic, count in account.records.items():
        written.add_row(topic, str(count))
    console.print(written)
    console.print(
        f"{result.steps} steps: {result.steps_open} still open, {result.steps_twice} in two places. "
        f"{account.trained} samples trained, {result.trained_twice} of them twice. "
        f"{result.calls} model calls, {result.calls_failed} failed."
    )
    console.print(
        f"[bold]Held-out success: {result.success_before:.0%} before, {result.success_after:.0%} after "
        f"{result.policy_versions} updates, {result.run_seconds:.0f} s in all.[/bold]"
    )
    console.print(f"Plot: {folder / 'learning.png'}   figures: {folder / 'result.json'}   logs: {folder / 'logs'}")


def draw(updates: Sequence[UpdateReport], result: Result, path: Path) -> None:
    """Plot reward and policy lag over versions, with held-out success before and after."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    versions = [report.version for report in updates]
    figure, (learning, lag) = plt.subplots(2, 1, figsize=(8, 6), height_ratios=(3, 1), sharex=True)
    learning.plot(versions, [report.reward_mean for report in updates], color="tab:blue", label="reward of each update")
    ends = [0, max(versions, default=1)]
    held_out = [result.success_before, result.success_after]
    learning.plot(ends, held_out, "o", markersize=9, color="tab:red", label="success on held-out tasks")
    learning.set(ylim=(0, 1.02), ylabel="success", title=f"{len(updates)} updates, {result.samples} samples")
    learning.grid(alpha=0.3)
    learning.legend(loc="lower right")
    lag.bar(versions, [report.policy_lag_mean for report in updates], color="tab:gray")
    lag.set(xlabel="policy version", ylabel="policy lag")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
