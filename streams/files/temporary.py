"""Temporary folders that are gone with their process, or at the latest when the next one of their kind begins.

Invariant: whoever was killed has left a folder that nobody holds: each is locked by the process that uses it, and the
operating system gives the lock back however that one ends. So what is locked, or was just made, is never removed.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_YOUNG_SECONDS = 60.0  # between being made and being locked


@contextmanager
def temporary_folder(kind: str) -> Iterator[Path]:
    """A new folder, for as long as the context lasts; ``kind``: what it is for, in its name."""
    prefix = f"clawstream.{kind}."
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        _remove_left(left)
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield Path(folder)
        finally:
            os.close(descriptor)


def _remove_left(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return  # somebody else's, or gone meanwhile
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if time.time() - os.fstat(descriptor).st_mtime > _YOUNG_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return  # in use
    finally:
        os.close(descriptor)
