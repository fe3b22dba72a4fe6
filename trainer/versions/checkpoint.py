"""Checkpoints on disk: one folder for each version, which is also the snapshot that nodes load::

    version-000007/   config.json, tokenizer.json, model.safetensors ...   the snapshot
                      trainer.json, seen.bin                              offsets, announcements, consumed samples
                      optimizer/                                          exact weights and optimiser state

Invariant: a folder named ``version-…`` is whole and on the disk: it gets that name by one rename, after everything in
it was synced. That rename is the commit; a process that dies before it leaves the version before.
"""

import fcntl
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from clawstream.trainer.errors import InTheWayError

OPTIMIZER_FOLDER = "optimizer"
_NAME, _UNFINISHED, _REMOVED = "version-", ".unfinished-", ".removed-"
_KEPT_OPTIMIZERS = 2


class Checkpoints:
    """The versions in one output folder, of one trainer at a time."""

    def __init__(self, folder: Path, keep: int) -> None:
        """``keep``: how many of the newest versions stay; version 0 stays besides."""
        self._folder, self._keep = folder.resolve(), keep

    def path(self, version: int) -> Path:
        """Where ``version`` lies, or will."""
        return self._folder / f"{_NAME}{version:06d}"

    def versions(self) -> list[int]:
        """Every version on disk, ascending."""
        return sorted(int(path.name.removeprefix(_NAME)) for path in self._folder.glob(f"{_NAME}*"))

    def newest(self) -> int | None:
        """The newest version, if there is any."""
        return max(self.versions(), default=None)

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Hold the folder. Raises ``InTheWayError`` when another process does; the lock ends with the process."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InTheWayError(
                    f"another trainer works in {self._folder}; each needs an output_dir of its own"
                ) from None
            self._remove_leftovers()
            yield

    def unfinished(self, version: int) -> Path:
        """The folder to write ``version`` into before it is committed."""
        return self._folder / f"{_UNFINISHED}{version:06d}"

    def begin(self, version: int) -> Path:
        """An empty folder to write ``version`` into."""
        folder = self.unfinished(version)
        folder.mkdir()
        return folder

    def commit(self, version: int) -> None:
        """Make what was written the newest version."""
        folder = self.unfinished(version)
        for path in [*folder.rglob("*"), folder]:
            _sync(path)
        folder.rename(self.path(version))
        _sync(self._folder)

    def prune(self, needed: Collection[int] = ()) -> None:
        """Remove what is too old to be needed, but for the versions ``needed`` by those who serve them."""
        versions = self.versions()
        for version in versions[: -self._keep]:
            if version != 0 and version not in needed:
                self._remove(self.path(version))
        for version in self.versions()[:-_KEPT_OPTIMIZERS]:
            optimizer = self.path(version) / OPTIMIZER_FOLDER
            if optimizer.exists():
                self._remove(optimizer)

    def leave_report(self, version: int, report: bytes) -> Path:
        """Leave ``report`` of a ``version`` that was not made; its path."""
        path = self._folder / f"thrown-away-{version:06d}.json"
        path.write_bytes(report)
        return path

    def _remove(self, path: Path) -> None:
        doomed = self._folder / f"{_REMOVED}{path.parent.name}-{path.name}"
        path.rename(doomed)  # at once, so that no half of it is ever seen under its name
        shutil.rmtree(doomed)

    def _remove_leftovers(self) -> None:
        for pattern in (_UNFINISHED, _REMOVED):
            for path in self._folder.glob(f"{pattern}*"):
                shutil.rmtree(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
