"""A version on disk is whole, whenever the process died."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clawstream.trainer.errors import TrainerError
from clawstream.trainer.versions.checkpoint import OPTIMIZER_FOLDER, Checkpoints


def write(checkpoints: Checkpoints, version: int) -> None:
    folder = checkpoints.begin(version)
    (folder / "weights").write_text(str(version))
    (folder / OPTIMIZER_FOLDER).mkdir()
    checkpoints.commit(version)


def test_nothing_yet(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "none", 2).newest() is None


def test_what_was_not_committed_is_not_there_and_is_cleaned_up(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, 3)
    write(checkpoints, 0)
    (checkpoints.begin(1) / "weights").write_text("half")
    assert checkpoints.newest() == 0
    with checkpoints.owned():
        write(checkpoints, 1)
    assert (checkpoints.path(1) / "weights").read_text() == "1"


def test_old_versions_go_but_the_first_stays(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, 3)
    for version in range(6):
        write(checkpoints, version)
        checkpoints.prune()
    assert checkpoints.versions() == [0, 3, 4, 5]
    assert [(checkpoints.path(version) / OPTIMIZER_FOLDER).exists() for version in (0, 3, 4, 5)] == [
        False,
        False,
        True,
        True,
    ]
    assert not list(tmp_path.glob(".removed*"))


def test_what_nodes_serve_stays_for_as_long_as_they_do(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, 2)
    for version in range(6):
        write(checkpoints, version)
        checkpoints.prune({1, 2})
    assert checkpoints.versions() == [0, 1, 2, 4, 5]
    checkpoints.prune({2})
    assert checkpoints.versions() == [0, 2, 4, 5]
    assert not (checkpoints.path(2) / OPTIMIZER_FOLDER).exists()


def test_two_trainers_cannot_share_a_folder(tmp_path: Path) -> None:
    with (
        Checkpoints(tmp_path, 2).owned(),
        pytest.raises(TrainerError, match="another trainer works in"),
        Checkpoints(tmp_path, 2).owned(),
    ):
        pass


_WRITER = """
import sys
from pathlib import Path
from clawstream.trainer.versions.checkpoint import Checkpoints
checkpoints = Checkpoints(Path(sys.argv[1]), 2)
with checkpoints.owned():
    version = -1 if checkpoints.newest() is None else checkpoints.newest()
    while True:
        version += 1
        folder = checkpoints.begin(version)
        for name in range(20):
            (folder / str(name)).write_text(str(version) * 1000)
        checkpoints.commit(version)
        checkpoints.prune()
"""


def test_killed_at_any_instant_the_newest_version_is_whole(tmp_path: Path) -> None:
    for delay in (0.0, 0.011, 0.023, 0.037):
        before = Checkpoints(tmp_path, 2).newest() or 0
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)])
        while (Checkpoints(tmp_path, 2).newest() or 0) < before + 2:
            time.sleep(0.005)
        time.sleep(delay)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        for version in Checkpoints(tmp_path, 2).versions():
            files = list(Checkpoints(tmp_path, 2).path(version).iterdir())
            assert len(files) == 20
            assert all(path.read_text() == str(version) * 1000 for path in files)
