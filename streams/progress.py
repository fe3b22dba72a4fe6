"""How far a long command has come, on stderr: a bar on a terminal, nothing elsewhere."""

import contextlib
from collections.abc import Iterator
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


class Watch(Protocol):
    """Is told what is being done, how much of it is done, and of how much."""

    def __call__(self, what: str, done: int, total: int, /) -> None: ...


@contextlib.contextmanager
def shown() -> Iterator[Watch]:
    """Show each thing that is done as a bar of its own."""
    console = Console(stderr=True)
    with Progress(*_COLUMNS, console=console, disable=not console.is_terminal) as progress:
        tasks = dict[str, TaskID]()

        def watch(what: str, done: int, total: int, /) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)

        yield watch
