"""Keeps processes alive: starts them, passes on what they print, restarts what dies, stops them in order.

Invariant: no process outlives the supervisor's :meth:`stop`; one that exits by itself is started again, after a pause
that doubles from 1 to 30 seconds while it keeps dying, unless its status says that this is of no use::

    start -> running -> exited 1 -> (1 s) -> running -> exited 1 -> (2 s) -> running ... exited 3, for good
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable

from clawstream.streams.process.child import keeping_bytecode, tied
from clawstream.streams.process.ending import FOR_GOOD
from clawstream.up.processes import Process

OnLine = Callable[[str, str], None]  # process name, line

_LONGEST_PAUSE_SECONDS = 30.0
_HEALTHY_SECONDS = 60.0  # a process that lived this long starts afresh with a pause of 1 s
_LAST_LINES_SECONDS = 1.0
_LINE_BYTES = 1 << 20


class Supervisor:
    """Runs processes until stopped."""

    def __init__(self, on_line: OnLine, stop_seconds: float = 30.0) -> None:
        """``on_line`` receives each line that a process prints, and what the supervisor itself has to say."""
        self._on_line, self._stop_seconds = on_line, stop_seconds
        self._stopping = False
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self.restarts: dict[str, int] = {}

    def start(self, process: Process) -> None:
        """Start ``process`` and keep it alive."""
        self.restarts[process.name] = 0
        self._keepers[process.name] = asyncio.create_task(self._keep(process), name=process.name)

    def pid(self, name: str) -> int | None:
        """Process id while it runs."""
        child = self._running.get(name)
        return child.pid if child is not None and child.returncode is None else None

    async def stop(self) -> None:
        """Stop all, the one started last first; kill what does not stop in time."""
        self._stopping = True
        for name in reversed(list(self._keepers)):
            await self._stop_one(name)

    async def _stop_one(self, name: str) -> None:
        child, keeper = self._running.get(name), self._keepers.pop(name)
        if child is not None and child.returncode is None:
            child.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(child.wait(), self._stop_seconds)
            except TimeoutError:
                self._on_line(name, f"did not stop within {self._stop_seconds:g} s; killed")
                child.kill()
            await asyncio.wait({keeper}, timeout=_LAST_LINES_SECONDS)  # a process of its own may hold its output open
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)

    async def _keep(self, process: Process) -> None:
        pause = 1.0
        while not self._stopping:
            started = time.monotonic()
            status = await self._run_once(process)
            if self._stopping:
                return
            lived = time.monotonic() - started
            if status == FOR_GOOD:
                self._on_line(
                    process.name, f"{_ending(status)} after {lived:.0f} s; it is not started again, see above"
                )
                return
            pause = 1.0 if lived > _HEALTHY_SECONDS else pause
            self.restarts[process.name] += 1
            self._on_line(process.name, f"{_ending(status)} after {lived:.0f} s; starting it again in {pause:.0f} s")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _run_once(self, process: Process) -> int:
        child = await asyncio.create_subprocess_exec(
            *tied(process.argv),
            env=keeping_bytecode({**os.environ, "PYTHONUNBUFFERED": "1", **process.environment}),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=_LINE_BYTES,
            start_new_session=True,
        )
        self._running[process.name] = child
        await self._pass_on(process.name, child)
        return await child.wait()

    async def _pass_on(self, name: str, child: asyncio.subprocess.Process) -> None:
        if child.stdout is None:
            return
        while True:
            try:
                line = await child.stdout.readline()
            except ValueError:
                continue  # longer than the limit: asyncio has dropped it
            if not line:
                return
            self._on_line(name, line.decode(errors="replace").rstrip())


def _ending(status: int) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exited with status {status}"
