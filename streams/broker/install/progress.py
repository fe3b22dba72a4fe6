"""A download's progress on stderr: a bar on a terminal, a line at its start and its end elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]


@contextmanager
def download_progress(title: str, total_bytes: int) -> Iterator[Advance]:
    """Show ``title`` until the block ends; call what it yields with each count of bytes that arrived."""
    if sys.stderr.isatty():
        with _bar(title, total_bytes) as advance:
            yield advance
        return
    started = time.monotonic()
    print(f"{title}, {total_bytes / 1e6:.0f} MB …", file=sys.stderr, flush=True)
    yield _count_nothing
    print(f"{title}: done in {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)


def _count_nothing(arrived_bytes: int) -> None:
    """A log wants no line per chunk."""
    del arrived_bytes


@contextmanager
def _bar(title: str, total_bytes: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=total_bytes)
        yield lambda arrived_bytes: progress.advance(task, arrived_bytes)
        progress.update(task, completed=total_bytes)
