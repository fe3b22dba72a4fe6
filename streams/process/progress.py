"""How far a long command has come, on stderr: a bar on a terminal, a line every ten seconds elsewhere."""

import contextlib
import time
from collections.abc import Iterator
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
_LINE_SECONDS = 10.0


class Watch(Protocol):
    """Is told what is being done, how much of it is done, and of how much."""

    def __call__(self, what: str, done: int, total: int, /) -> None: ...


@contextlib.contextmanager
def shown(console: Console | None = None) -> Iterator[Watch]:
    """Show each thing that is done: as a bar of its own, or as lines."""
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(console)
        return
    with Progress(*_COLUMNS, console=console) as progress:
        tasks = dict[str, TaskID]()

        def watch(what: str, done: int, total: int, /) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)

        yield watch


class _Lines:
    """A line now and then."""

    def __init__(self, console: Console) -> None:
        self._console, self._said = console, time.monotonic()

    def __call__(self, what: str, done: int, total: int, /) -> None:
        if time.monotonic() - self._said >= _LINE_SECONDS:
            self._said = time.monotonic()
            self._console.print(f"{what}: {done} of {total}", markup=False, highlight=False, soft_wrap=True)
