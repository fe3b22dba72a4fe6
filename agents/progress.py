"""How far a run has come, on stderr: a bar on a terminal, a line every ten seconds elsewhere.

Invariant: the first reasons of failures are shown when they come, not only at the end.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from clawstream.agents.tally import Tally

_LOOK_SECONDS = 0.2
_LINE_SECONDS = 10.0


def state_of(tally: Tally) -> str:
    """What is known, in a line."""
    mean = "" if tally.mean_reward is None else f"mean reward {tally.mean_reward:.3f}  "
    waiting = f"  waiting {tally.waiting}" if tally.waiting else ""
    return f"{mean}open {tally.open}{waiting}  failed {tally.failed}"


@contextlib.asynccontextmanager
async def showing(console: Console, name: str, tally: Tally) -> AsyncIterator[None]:
    """Show how far the flow ``name`` has come, for as long as the context lasts."""
    with _Bar(console, name, tally) if console.is_terminal else _Lines(console, name) as view:
        look = _Look(console, view, tally)
        looking = asyncio.create_task(look.often())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.wait({looking})
            look()


class _View(Protocol):
    def update(self, tally: Tally) -> None: ...


class _Look:
    """Shows what is new."""

    def __init__(self, console: Console, view: _View, tally: Tally) -> None:
        self._console, self._view, self._tally = console, view, tally
        self._said = 0  # reasons

    def __call__(self) -> None:
        self._view.update(self._tally)
        for reason in list(self._tally.reasons)[self._said :]:
            self._console.print(f"failed: {reason}", style="yellow", markup=False, highlight=False, soft_wrap=True)
            self._said += 1

    async def often(self) -> None:
        while True:
            self()
            await asyncio.sleep(_LOOK_SECONDS)


class _Bar(contextlib.AbstractContextManager["_Bar"]):
    """Redrawn in place."""

    def __init__(self, console: Console, name: str, tally: Tally) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
        )
        self._progress = Progress(*columns, TimeElapsedColumn(), console=console)
        self._task = self._progress.add_task(name, total=tally.trajectories, state="")

    def update(self, tally: Tally) -> None:
        self._progress.update(self._task, completed=tally.ended, state=state_of(tally))

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


class _Lines(contextlib.AbstractContextManager["_Lines"]):
    """A line now and then."""

    def __init__(self, console: Console, name: str) -> None:
        self._console, self._name, self._printed = console, name, time.monotonic()

    def update(self, tally: Tally) -> None:
        if time.monotonic() - self._printed < _LINE_SECONDS:
            return
        self._printed = time.monotonic()
        line = f"{self._name}: {tally.ended} of {tally.trajectories}  {state_of(tally)}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def __exit__(self, *_: object) -> None:
        """The summary follows."""
