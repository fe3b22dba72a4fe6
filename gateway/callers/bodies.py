"""Request bodies: read only while there is room for them, and within a time.

Invariant: bodies that are being read or answered take ``max_bytes`` of memory at most, as they come over the wire. Each
counts as what it says it is, from before its first byte is read until its request is over; one that does not say, or is
compressed, as the largest.
"""

import asyncio

from aiohttp import web

from clawstream.gateway.errors import ApiError, invalid, too_many

_LEAST_BYTES = 16 * 1024  # what a request costs besides


class Bodies:
    """Room for bodies."""

    def __init__(self, max_bytes: int, max_body_bytes: int, seconds: float) -> None:
        """``max_bytes``: for all; ``max_body_bytes``: for one; ``seconds``: in which one must arrive."""
        self._max_bytes, self._max_body_bytes, self._seconds = max(max_bytes, max_body_bytes), max_body_bytes, seconds
        self.held_bytes = 0

    def hold(self, byte_count: int | None) -> int:
        """Hold room for a body that says it has ``byte_count``, until it is freed: how much. Raises ``ApiError`` 429
        when there is none."""
        counted = min(max(self._max_body_bytes if byte_count is None else byte_count, _LEAST_BYTES), self._max_bytes)
        if self.held_bytes + counted > self._max_bytes:
            said = f"{self.held_bytes} bytes of requests are being read and answered, as many as there is room for"
            raise too_many(said, "busy")
        self.held_bytes += counted
        return counted

    def free(self, counted: int) -> None:
        """Give room back."""
        self.held_bytes -= counted

    async def read(self, request: web.Request) -> None:
        """Read the body, which the request keeps. Raises ``ApiError``: 400 for one that is not encoded as it
        says, 408 for one that does not arrive in time."""
        try:
            if request.content.is_eof():  # it has come with the headers, as most do
                await request.read()
                return
            async with asyncio.timeout(self._seconds):
                await request.read()
        except web.RequestPayloadError as error:
            raise invalid(f"the request's body cannot be read: {error}") from error
        except TimeoutError as error:
            said = f"the request's body did not arrive within {self._seconds:g} s"
            raise ApiError(408, said, code="body_timeout") from error


def said_bytes(request: web.Request) -> int | None:
    """How many bytes the body will have in memory, where the request says so."""
    return None if request.headers.get("Content-Encoding") else request.content_length
