"""Who holds a lock, and until when."""

import subprocess
from pathlib import Path

import pytest

from clawstream.streams.broker.lock import FileLock


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.acquire(wait=False)
    first.note("process 1 at 127.0.0.1:9092")
    assert not second.acquire(wait=False)
    first.note("process 22")
    assert second.path.read_text() == "process 22"
    first.release()
    assert second.acquire(wait=False)
    second.release()
    second.release()


def test_a_child_that_inherits_it_holds_it_when_its_parent_lost_it(tmp_path: Path) -> None:
    import os

    lock = FileLock(tmp_path / "lock")
    lock.acquire(wait=False)
    child = subprocess.Popen(["sleep", "60"], pass_fds=(lock.fd,))
    os.close(lock.fd)  # as the end of this process would
    assert not FileLock(lock.path).acquire(wait=False)
    child.kill()
    child.wait()
    assert FileLock(lock.path).acquire(wait=False)


def test_the_descriptor_is_there_while_it_is_held(tmp_path: Path) -> None:
    with FileLock(tmp_path / "lock") as lock:
        assert lock.fd > 2
    with pytest.raises(RuntimeError, match="is not locked"):
        _ = lock.fd
