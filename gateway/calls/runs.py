"""A call on its way, apart from the requests that wait for its answer: one, or several tries of the same call.

Invariant: every listener gets the same bytes from the first on, whenever it came. A run is given up once nobody has
listened for its grace time, unless it has committed: then its step is on the way to the log and the answer is kept for
the try that comes next::

    try 1   ├─ a b ─ (gone)
    try 2              ├─ a b c d end     the same run, the same step
    run     ├─ a  b    c  d  commit  end
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from clawstream.gateway.errors import unavailable

_MAX_BEHIND_BYTES = 256 * 1024  # an answer waits for its foremost listener when that is behind by more


def _ignore(_: int) -> None:
    """Nobody counts the bytes."""


class Listener:
    """One request that is told the answer."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self.heard_count = self.heard_bytes = 0  # pieces and bytes that it has passed on
        self._taken_count = self._taken_bytes = 0

    @property
    def has_begun(self) -> bool:
        """Has it been given anything?"""
        return self._taken_count > 0

    async def next(self) -> bytes:
        """All that is said and not taken yet; empty at the end. What was taken before counts as heard.

        Raises what the run ended with.
        """
        self.heard_count, self.heard_bytes = self._taken_count, self._taken_bytes
        self._run.moved()
        data, self._taken_count = await self._run.after(self._taken_count)
        self._taken_bytes += len(data)
        return data

    async def whole(self) -> bytes:
        """Everything, once it has ended."""
        pieces = []
        while data := await self.next():
            pieces.append(data)
        return b"".join(pieces)


class Run:
    """A call's answer as it is said. What is said stays here while it is ``kept``, so that others can join."""

    def __init__(
        self, grace_seconds: float, grew: Callable[[int], None] | None = None, *, until_begun: bool = False
    ) -> None:
        """``grew``: is told of each piece's bytes; ``None``: nobody will join, so nothing is kept or waited for.
        ``until_begun``: there is no grace time for who leaves after a part of the answer."""
        self.headers: dict[str, str] = {}  # of the response; there before the first piece is
        self.failed = False  # it ended with an error, or was given up
        self.byte_count = 0
        self.kept = grew is not None
        self._grew = grew or _ignore
        self._grace_seconds, self._until_begun = grace_seconds, until_begun
        self._pieces: list[bytes] = []
        self._dropped = 0  # pieces before the first of those
        self._listeners: set[Listener] = set()
        self._said, self._moved = asyncio.Event(), asyncio.Event()
        self._error: Exception | None = None
        self._ended = self._committed = False
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def perform(self, work: Coroutine[Any, Any, None]) -> None:
        """Do ``work``, which says the answer. Whatever it raises is for the listeners."""
        self._task = asyncio.current_task()
        try:
            await work
        except Exception as error:  # each listener's request deals with it
            self._error, self.failed = error, True
        except asyncio.CancelledError:
            self._error, self.failed = unavailable("the call was given up; ask again", "given_up"), True
        finally:
            self._ended = True
            self._said.set()

    @property
    def is_open(self) -> bool:
        """May another request join?"""
        return self.kept and not self.failed

    @property
    def has_begun(self) -> bool:
        """Has anything been said?"""
        return self._count > 0

    @contextlib.contextmanager
    def listener(self) -> Iterator[Listener]:
        """Listen for as long as the context lasts."""
        if self._timer is not None:
            self._timer.cancel()
        listener = Listener(self)
        self._listeners.add(listener)
        self.moved()
        try:
            yield listener
        finally:
            self._listeners.remove(listener)
            self.moved()
            if not (self._listeners or self._ended or self._committed):
                self._wait_for_another(has_begun=listener.has_begun)

    def say(self, data: bytes) -> None:
        """The next piece."""
        self._pieces.append(data)
        self.byte_count += len(data)
        if self.kept:
            self._grew(len(data))
        self._said.set()

    async def room(self) -> None:
        """Wait while the foremost listener is far behind."""
        while self._is_far_ahead():
            await self._change()

    async def commit(self) -> None:
        """Wait until a listener has heard all that was said; from now on the run is not given up any more."""
        while all(listener.heard_count < self._count for listener in self._listeners):
            await self._change()
        self._committed = True

    def forget(self) -> None:
        """Keep no more than listeners still have to hear; nobody can join any more."""
        self.kept = False
        self._trim()

    def moved(self) -> None:
        """A listener came, went or has heard more."""
        self._moved.set()
        if not self.kept:
            self._trim()

    async def after(self, count: int) -> tuple[bytes, int]:
        """What follows the first ``count`` pieces, as soon as there is something, and how many pieces there are then.

        Empty at the end. Raises what the run ended with.
        """
        while count >= self._count:
            if self._error is not None:
                raise self._error
            if self._ended:
                return b"", count
            self._said.clear()
            await self._said.wait()
        pieces = self._pieces[count - self._dropped :]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces), self._count

    @property
    def _count(self) -> int:
        return self._dropped + len(self._pieces)

    def _is_far_ahead(self) -> bool:
        """Of its foremost listener; most answers are not long enough."""
        if self.byte_count <= _MAX_BEHIND_BYTES or not self._listeners:
            return False
        return self.byte_count - max(listener.heard_bytes for listener in self._listeners) > _MAX_BEHIND_BYTES

    async def _change(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    def _trim(self) -> None:
        if self._listeners and (heard := min(listener.heard_count for listener in self._listeners)) > self._dropped:
            del self._pieces[: heard - self._dropped]
            self._dropped = heard

    def _wait_for_another(self, *, has_begun: bool) -> None:
        if self.kept and self._grace_seconds > 0 and not (has_begun and self._until_begun):
            self._timer = asyncio.get_running_loop().call_later(self._grace_seconds, self._give_up)
        else:
            self._give_up()

    def _give_up(self) -> None:
        if not (self._listeners or self._ended or self._committed) and self._task is not None:
            self.failed = True
            self._task.cancel()
