"""An answer over HTTP, as it comes.

Invariant: what nobody takes is not read from the socket either, so memory is bounded by ``_MOST_BYTES`` a call. Whoever
waits is woken for whatever comes; in bulk, for much, for the end, or each second::

    came     a   b   c   d . . .  e   [DONE]
    taken    a   b   (in bulk)  c d   e [DONE]
"""

import asyncio
from typing import Protocol

_MOST_BYTES = 256 * 1024  # that came and were not taken, before we stop reading
_MUCH_BYTES = 64 * 1024  # that are worth taking in before the end, where nobody waits for each
_LOOK_SECONDS = 1.0  # that less than this waits at most in bulk: it may be an error, or an end of another kind


class BrokenOffError(ConnectionError):
    """The connection ended before the answer did, or what came is no HTTP."""


class SilenceError(TimeoutError):
    """Nothing came for too long."""


class Carrier(Protocol):
    """The connection that an answer comes on."""

    def read(self, *, more: bool) -> None:
        """Read from the socket, or not for the present."""

    def leave(self, answer: "HttpAnswer", *, at_end: bool) -> None:
        """``answer`` is of no interest any more."""


class HttpAnswer:
    """One answer as it comes."""

    def __init__(self, carrier: Carrier, silence_seconds: float) -> None:
        self.status = 0  # until its headers are there
        self.headers: dict[str, str] = {}  # names in lower case
        self._carrier, self._silence_seconds = carrier, silence_seconds
        self._pieces: list[bytes] = []
        self._size = 0  # bytes in those
        self._waiter: asyncio.Future[None] | None = None
        self._until: bytes | None = None  # in bulk: what the last piece ends with
        self._is_due = False  # in bulk: what came has waited long enough
        self.has_ended = False  # its body is complete
        self._error: Exception | None = None
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()
        self._look_in(silence_seconds)

    async def begin(self) -> None:
        """Wait for the headers."""
        while not self.status:
            await self._change()

    async def next(self) -> bytes:
        """All that has come since; empty at the end. Raises ``BrokenOffError``, ``SilenceError``."""
        while not self._is_worth_taking():
            if self.has_ended:
                return b""
            await self._change()
        return self.take()

    def take(self) -> bytes:
        """All that has come and was not taken yet; perhaps nothing."""
        pieces = self._pieces
        self._pieces, self._size, self._is_due = [], 0, False
        self._carrier.read(more=True)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def in_bulk(self, until: bytes) -> None:
        """From now on :meth:`next` waits until much has come, or the end, or a piece that ends with ``until``, a second
        at most: to be woken for every token costs more than the token."""
        self._until = until

    async def read(self, most_bytes: int) -> bytes:
        """The whole body, or the first ``most_bytes`` of a longer one."""
        body = bytearray()
        while len(body) < most_bytes and (piece := await self.next()):
            body += piece
        return bytes(body[:most_bytes])

    def close(self) -> None:
        """The connection is kept when the answer came to its end, else closed."""
        self._watch.cancel()
        self._carrier.leave(self, at_end=self.has_ended)

    def _is_worth_taking(self) -> bool:
        if not self._pieces:
            return False
        if self._until is None or self._is_due or self.has_ended or self._error is not None:
            return True
        return self._size >= _MUCH_BYTES or self._pieces[-1].endswith(self._until)

    async def _change(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        await self._waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _look(self) -> None:
        """Has it been silent for too long? What waits for us to read is not silent; in bulk it is given now."""
        waits_for_us, is_in_bulk = self._size > 0, self._until is not None
        silent = 0.0 if waits_for_us and not is_in_bulk else self._loop.time() - self._heard
        if silent >= self._silence_seconds:
            self.failed(SilenceError(f"nothing came for {self._silence_seconds:g} s"))
        elif not self.has_ended:
            self._look_in(self._silence_seconds - silent)
            if waits_for_us and is_in_bulk:
                self._is_due = True
                self._wake()

    def _look_in(self, seconds: float) -> None:
        self._watch = self._loop.call_later(min(seconds, _LOOK_SECONDS), self._look)

    def began(self, status: int, headers: dict[str, str]) -> None:
        """Status and headers are there."""
        self.status, self.headers = status, headers

    def came(self, piece: bytes) -> None:
        """A piece of the body."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > _MOST_BYTES:
            self._carrier.read(more=False)

    def heard(self) -> None:
        """All of what the socket gave has been taken in."""
        self._heard = self._loop.time()
        if self._until is None or self.has_ended or self._is_worth_taking():
            self._wake()

    def ended(self) -> None:
        """The body is complete."""
        self.has_ended = True

    def failed(self, error: Exception) -> None:
        """It will not come to its end."""
        if not self.has_ended:
            self._error = self._error or error
            self._wake()
