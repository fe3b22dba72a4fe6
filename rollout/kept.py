"""Folders of adapters that stay for as long as vLLM may read them.

Invariant: vLLM reads an adapter again that it evicted to make room, at the next call for it, and ends, with every
tenant's policy, where the folder is gone. So it reads from a folder of the node's own, which no trainer prunes, and
which holds the newest version of each adapter and those before it that calls under way may have begun with.
"""

import os
import shutil
from pathlib import Path

_VERSIONS = 4  # of each adapter: as many as calls that wait in vLLM's queue may have begun with


class KeptFolders:
    """Copies of adapters in ``folder``, by links where the file system has them."""

    def __init__(self, folder: Path) -> None:
        """``folder`` must be empty, and outlive vLLM."""
        self._folder, self._count = folder, 0
        self._kept: dict[str, list[Path]] = {}

    def copy(self, source: Path) -> Path:
        """The files in ``source``, in a folder of ours. Raises ``OSError``, as on a full disk; then nothing is left."""
        self._count += 1
        target = self._folder / f"{self._count:06d}"
        target.mkdir()
        try:
            for path in sorted(source.iterdir()):
                if path.is_file():
                    _link(path, target / path.name)
        except OSError:
            self.drop(target)
            raise
        return target

    def keep(self, model: str, copy: Path) -> None:
        """``copy`` holds the version of ``model`` that is served now; the oldest of its copies goes."""
        kept = self._kept.setdefault(model, [])
        kept.append(copy)
        while len(kept) > _VERSIONS:
            self.drop(kept.pop(0))

    def drop(self, copy: Path) -> None:
        """Remove ``copy``, which vLLM did not take, or needs no more."""
        shutil.rmtree(copy)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
