"""The vLLM server as a child process: started, awaited, watched, stopped.

Invariant: it never outlives us, also when we are killed; and its death is noticed with the last lines that it wrote.
"""

import logging
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import IO

import httpx

from clawstream.streams.errors import StreamError
from clawstream.streams.process.child import guarded

_log = logging.getLogger(__name__)
_LAST_LINES = 30
_POLL_SECONDS = 0.25
_NOTICE_SECONDS = 10.0
_HEALTH_SECONDS = 5.0
_STOP_SECONDS = 10.0


class EngineError(StreamError):
    """vLLM did not start, died, or could not load weights."""


class Engine:
    """One vLLM server at ``url``."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=_HEALTH_SECONDS)  # one a question costs 46 ms of CPU
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._child = subprocess.Popen(
            guarded(command),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        threading.Thread(target=self._pump, args=(self._child.stdout,), name="vllm-log", daemon=True).start()

    def wait_ready(self, timeout_seconds: float, stopped: Callable[[], bool]) -> bool:
        """True once it answers, False when ``stopped()`` first. Raises ``EngineError`` when it dies or is too slow."""
        started = time.monotonic()
        notice = _NOTICE_SECONDS
        while not stopped():
            self.check()
            if self.answers():
                return True
            waited = time.monotonic() - started
            if waited > timeout_seconds:
                raise EngineError(
                    f"vLLM did not answer within {timeout_seconds:g} s; its last words: {self.last_words}"
                )
            if waited > notice:
                _log.info("vLLM is still starting (%.0f s)", waited)
                notice += _NOTICE_SECONDS
            time.sleep(_POLL_SECONDS)
        return False

    def answers(self) -> bool:
        """Does it say that it is healthy?"""
        try:
            return self._client.get("/health").status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def check(self) -> None:
        """Raise ``EngineError`` when it has died."""
        if self._child.poll() is not None:
            raise EngineError(f"vLLM ended; its last words: {self.last_words}")

    @property
    def last_words(self) -> str:
        """The last lines that it wrote, the errors among them if there are any."""
        lines = list(self._lines)
        errors = [number for number, line in enumerate(lines) if "Error" in line or "ERROR" in line]
        if errors:
            return " | ".join(lines[errors[-1] : errors[-1] + 4])  # an error goes on in the lines after it
        return " | ".join(lines[-3:]) or "none"

    def stop(self, drain_seconds: float = 0.0) -> None:
        """Ask it to stop, with that much time for requests in flight, then end it and all its children."""
        if self._child.poll() is None:
            self._child.terminate()
        try:
            self._child.wait(drain_seconds + _STOP_SECONDS)
        except subprocess.TimeoutExpired:
            _log.warning("vLLM did not stop within %g s; killed", drain_seconds + _STOP_SECONDS)
        try:
            os.killpg(self._child.pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # all gone
        self._child.wait()

    def _pump(self, stream: IO[str] | None) -> None:
        for line in stream or ():
            self._lines.append(line.rstrip())
            _log.debug("vllm: %s", line.rstrip())
