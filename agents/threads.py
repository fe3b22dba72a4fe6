"""Flows without asyncio, each in a thread of its own, while all calls are made on one event loop.

Invariant: a rollout that is given up holds nobody up. Its calls end at once, later ones are refused, and a thread that
makes none is left behind; it does not keep the process alive::

    thread   trajectory.chat(...) ── waits ───────────> ChatAnswer
    loop              └── await gateway.send(call) ──────┘
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from clawstream.agents.aio import AsyncSend
from clawstream.agents.calls import Call
from clawstream.agents.errors import EndedError

T = TypeVar("T")


class Bridge:
    """Sends the calls of one thread on the event loop that it was made on."""

    def __init__(self, send: AsyncSend) -> None:
        self._send, self._loop = send, asyncio.get_running_loop()
        self._pending: set[concurrent.futures.Future[Any]] = set()
        self._lock, self._stopped = threading.Lock(), False

    def __call__(self, call: Call[T]) -> T:
        """From the thread: the result. Raises ``AgentError``."""
        with self._lock:
            if self._stopped:
                raise EndedError("this rollout was given up; it can make no more calls")
            sending = asyncio.run_coroutine_threadsafe(self._send(call), self._loop)
            self._pending.add(sending)
        try:
            return sending.result()
        except concurrent.futures.CancelledError as error:
            raise EndedError("this rollout was given up") from error
        finally:
            with self._lock:
                self._pending.discard(sending)

    def stop(self) -> None:
        """End the calls under way and refuse others."""
        with self._lock:
            self._stopped = True
            pending = list(self._pending)
        for sending in pending:
            sending.cancel()


async def in_thread(work: Callable[[], T]) -> T:
    """The result of ``work``, done in a daemon thread of its own. Raises what it raises."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # it is raised again where the result is waited for
            errors.append(error)
        _say(loop, done)

    threading.Thread(target=run, name="flow", daemon=True).start()
    await done.wait()
    if errors:
        raise errors[0]
    return results[0]


def _say(loop: asyncio.AbstractEventLoop, done: asyncio.Event) -> None:
    try:
        loop.call_soon_threadsafe(done.set)
    except RuntimeError:  # the loop has ended, and nobody waits any more
        return
