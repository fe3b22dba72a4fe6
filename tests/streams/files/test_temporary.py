"""Temporary folders, also of processes that were killed."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from clawstream.streams.files.temporary import temporary_folder

OTHER = """
import os, sys
from clawstream.streams.files.temporary import temporary_folder
with temporary_folder("test") as folder:
    (folder / "large").write_text("x")
    os.utime(folder, (0, 0))
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of its own for temporary folders."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def begin() -> None:
    """Whoever makes a folder removes what was left."""
    with temporary_folder("test"):
        pass


def test_it_is_gone_at_the_end(place: Path) -> None:
    with temporary_folder("test") as folder:
        (folder / "file").write_text("x")
        assert folder.parent == place
    assert not folder.exists()


def test_what_a_killed_process_has_left_is_removed_and_what_a_live_one_uses_is_not(place: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", OTHER],
        env=os.environ | {"TMPDIR": str(place)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    used = Path(other.stdout.readline().strip())
    begin()
    assert (used / "large").exists()
    other.send_signal(signal.SIGKILL)
    other.communicate()
    assert used.exists()
    begin()
    assert not used.exists()


def test_what_is_young_and_what_is_of_another_kind_stays(place: Path) -> None:
    young, other = place / "clawstream.test.young", place / "clawstream.another.old"
    young.mkdir()
    other.mkdir()
    os.utime(other, (0, 0))
    begin()
    assert young.exists()
    assert other.exists()
