"""Going back to an earlier version, as a new one: versions only ever grow.

Invariant: the new version has the earlier one's weights and, where it is still on disk, its optimiser; offsets and seen
samples are the newest one's, so nothing that was trained trains again::

    0 1 2 3 4        roll back to 2        0 1 2 3 4 5      5 has the weights of 2, its parent
"""

import os
import shutil
from pathlib import Path

import msgspec

from clawstream.schemas import now
from clawstream.trainer.errors import TrainerError
from clawstream.trainer.versions.checkpoint import OPTIMIZER_FOLDER, Checkpoints
from clawstream.trainer.versions.state import SEEN_FILE, STATE_FILE, TrainerState, read_state, write_state


def require_earlier(checkpoints: Checkpoints, version: int) -> None:
    """Raise ``TrainerError`` when ``version`` is not on disk, or is the newest already."""
    versions = checkpoints.versions()
    if version not in versions[:-1]:
        earlier = ", ".join(str(each) for each in versions[:-1]) or "none"
        raise TrainerError(f"version {version} is no earlier version on disk; there are: {earlier}")


def roll_back(checkpoints: Checkpoints, to: int) -> TrainerState:
    """Commit the weights of version ``to`` as the newest version; its state, which is still to be announced.

    The folder must be owned. Raises ``TrainerError`` as :func:`require_earlier` does.
    """
    require_earlier(checkpoints, to)
    newest = read_state(checkpoints.path(checkpoints.versions()[-1]))
    earlier_state = read_state(checkpoints.path(to))
    version = newest.version + 1
    folder = checkpoints.begin(version)
    _link(checkpoints.path(to), folder)
    weights = msgspec.structs.replace(
        earlier_state.weights,
        version=version,
        uri=checkpoints.path(version).as_uri(),
        parent=to,
        update_id=None,
        created_at=now(),
    )
    state = msgspec.structs.replace(newest, weights=weights, report=None)
    write_state(folder, state)
    checkpoints.commit(version)
    return state


def has_optimizer(checkpoints: Checkpoints, version: int) -> bool:
    """Whether ``version`` still has its optimiser's state."""
    return (checkpoints.path(version) / OPTIMIZER_FOLDER).exists()


def _link(source: Path, folder: Path) -> None:
    """The same files under ``folder``: committed files never change, so they need no copy."""
    for path in source.rglob("*"):
        target = folder / path.relative_to(source)
        if path.is_dir():
            target.mkdir()
        elif path.name not in (STATE_FILE, SEEN_FILE):
            try:
                os.link(path, target)
            except OSError:  # a file system without links
                shutil.copyfile(path, target)
