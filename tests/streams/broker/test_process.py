"""A child process: its session, its output, its end."""

import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from clawstream.streams.broker.lock import FileLock
from clawstream.streams.broker.process import JavaProcess


def start(tmp_path: Path, script: str) -> JavaProcess:
    with FileLock(tmp_path / "lock") as lock:
        command = ["/bin/sh", "-c", script]
        return JavaProcess(command, folder=tmp_path, output=tmp_path / "out", lock_fd=lock.fd)


def test_output_and_exit_code_are_kept(tmp_path: Path) -> None:
    process = start(tmp_path, "pwd; echo wrong >&2; exit 3")
    assert process.wait(10)
    assert process.exit_code == 3
    assert not process.running
    assert (tmp_path / "out").read_text() == f"{tmp_path}\nwrong\n"


def test_it_has_a_session_of_its_own(tmp_path: Path) -> None:
    process = start(tmp_path, "exec sleep 60")
    assert process.running
    assert process.exit_code is None
    assert os.getsid(process.pid) != os.getsid(0)
    process.kill()
    assert process.exit_code == -signal.SIGKILL


def test_one_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    process = start(tmp_path, "trap '' TERM; echo up; while true; do sleep 0.05; done")
    while not (tmp_path / "out").read_text():
        process.wait(0.01)
    process.stop(grace_seconds=0.2)
    assert process.exit_code == -signal.SIGKILL


def test_it_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    started: list[JavaProcess] = []
    thread = threading.Thread(target=lambda: started.append(start(tmp_path, "exec sleep 60")))
    thread.start()
    thread.join()
    assert not started[0].wait(0.2)
    started[0].kill()


def test_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    with FileLock(tmp_path / "lock") as lock, pytest.raises((OSError, subprocess.SubprocessError)):
        JavaProcess(["true"], folder=tmp_path / "gone", output=tmp_path / "out", lock_fd=lock.fd)
