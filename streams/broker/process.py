"""A JVM as a child process.

Invariants: it gets no Ctrl-C from our terminal (it has a session of its own), and on Linux it never outlives us, also
when we are killed with ``kill -9``. Elsewhere it may; the lock that it inherited then still guards its data.
"""

import subprocess
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from clawstream.streams.process.child import tied


class JavaProcess:
    """A running command; ``output`` gets its stdout and stderr, and ``lock_fd`` stays open until it ends."""

    def __init__(self, command: Sequence[str], *, folder: Path, output: Path, lock_fd: int) -> None:
        self._exited = threading.Event()
        spawned: Future[subprocess.Popen[bytes]] = Future()
        # The signal is sent when the thread that made the child ends, so that thread stays for as long as the child.
        owner = threading.Thread(target=self._own, args=(spawned, command, folder, output, lock_fd), daemon=True)
        owner.start()
        self._child = spawned.result()

    @property
    def pid(self) -> int:
        """Its process id, also after it ended."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Has it not ended yet?"""
        return not self._exited.is_set()

    @property
    def exit_code(self) -> int | None:
        """Its exit code (minus the signal's number if one ended it), or None while it runs."""
        return self._child.returncode if self._exited.is_set() else None

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait for its end; False when the time is over first."""
        return self._exited.wait(timeout_seconds)

    def stop(self, grace_seconds: float) -> None:
        """SIGTERM, and SIGKILL after ``grace_seconds``. Returns when it has ended."""
        self._child.terminate()
        if not self.wait(grace_seconds):
            self.kill()

    def kill(self) -> None:
        """SIGKILL. Returns when it has ended."""
        self._child.kill()
        self.wait()

    def _own(
        self,
        spawned: "Future[subprocess.Popen[bytes]]",
        command: Sequence[str],
        folder: Path,
        output: Path,
        lock_fd: int,
    ) -> None:
        try:
            child = _spawn(command, folder, output, lock_fd)
        except OSError as error:
            spawned.set_exception(error)
            return
        spawned.set_result(child)
        child.wait()
        self._exited.set()


def _spawn(command: Sequence[str], folder: Path, output: Path, lock_fd: int) -> "subprocess.Popen[bytes]":
    with output.open("wb") as stream:
        return subprocess.Popen(
            tied(command),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            pass_fds=(lock_fd,),
            start_new_session=True,
        )
