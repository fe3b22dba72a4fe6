"""The live table: what the agents achieve, which policy serves them, and how far each part is behind.

Invariant: on a terminal one table is redrawn; elsewhere a line is printed every ten seconds, and nothing is lost.
"""

import asyncio
import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.table import Table

from clawstream.demo.rollouts import Tally
from clawstream.demo.watch import Observed

_LINE_SECONDS = 10.0
_REDRAW_SECONDS = 0.5

Row = tuple[str, str]


def rows(tally: Tally, observed: Observed, seconds: float) -> list[Row]:
    """What is shown: names and values."""
    update = observed.updates[-1] if observed.updates else None
    behind = observed.trained_version - (observed.served_version or 0)
    return [
        ("success rate, recent training tasks", f"{tally.success_rate:.0%}"),
        ("reward, last update", f"{update.reward_mean:.2f}" if update else "-"),
        ("policy version trained / served", f"{observed.trained_version} / {observed.served_version}"),
        ("policy lag, mean (max)", f"{update.policy_lag_mean:.1f} ({update.policy_lag_max})" if update else "-"),
        ("publish lag, versions", str(max(0, behind))),
        ("consumer lag, samples", str(observed.consumer_lag)),
        ("steps per second", f"{observed.steps_per_second:.0f}"),
        ("model calls answered / asked", f"{tally.calls} / {tally.calls_asked}"),
        ("trajectories", str(tally.trajectories)),
        ("seconds", f"{seconds:.0f}"),
    ]


def table(shown: list[Row]) -> Table:
    """``shown`` as a table."""
    drawn = Table(title="ClawStream: agents learn through the loop", show_header=False, title_justify="left")
    drawn.add_column(style="cyan")
    drawn.add_column(justify="right", min_width=12)
    for row in shown:
        drawn.add_row(*row)
    return drawn


async def show(console: Console, current: Callable[[], list[Row]]) -> None:
    """Show ``current()`` until cancelled."""
    if not console.is_terminal:
        await _print_lines(console, current)
    with Live(table(current()), console=console, refresh_per_second=4) as live:
        try:
            while True:
                await asyncio.sleep(_REDRAW_SECONDS)
                live.update(table(current()))
        finally:
            live.update(table(current()))


async def _print_lines(console: Console, current: Callable[[], list[Row]]) -> None:
    printed = time.monotonic()
    while True:
        await asyncio.sleep(_REDRAW_SECONDS)
        if time.monotonic() - printed >= _LINE_SECONDS:
            printed = time.monotonic()
            console.print("  ".join(f"{name}: {value}" for name, value in current()), highlight=False, soft_wrap=True)
