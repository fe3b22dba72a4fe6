"""An answer under way, event by event.

Invariant: whoever opened a stream closes it, which makes vLLM stop sampling.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import aiohttp

from clawstream.gateway.chat.chunks import Chunk, read_chunk
from clawstream.gateway.chat.sse import SseDecoder
from clawstream.gateway.errors import NodeError
from clawstream.schemas import NodeStatus

_DONE = b"[DONE]"


class Event(NamedTuple):
    """One event of an answer: as it came, and decoded."""

    data: bytes
    chunk: Chunk


class NodeStream:
    """One answer under way. Iterating gives its events up to ``[DONE]``; :meth:`begin` comes first."""

    def __init__(
        self, node: NodeStatus, response: aiohttp.ClientResponse, closed: Callable[[], None] | None = None
    ) -> None:
        """``closed`` is called once, when the answer is no longer under way."""
        self.node = node
        self._response, self._decoder, self._closed = response, SseDecoder(), closed
        self._received: deque[bytes] = deque()
        self._first: Event | None = None

    async def begin(self) -> None:
        """Wait for the first event. Raises ``aiohttp.ClientConnectionError`` when the connection breaks before it,
        ``NodeError`` when the node reports an error instead."""
        self._first = await self._next()

    def __aiter__(self) -> "NodeStream":
        return self

    async def __anext__(self) -> Event:
        """The next event. Raises ``NodeError`` when the answer breaks off."""
        event, self._first = self._first, None
        try:
            event = event or await self._next()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NodeError(f"node {self.node.node} broke off its answer: {_what(error)}") from error
        if event is None:
            raise StopAsyncIteration
        return event

    async def _next(self) -> Event | None:
        while not self._received:
            data = await self._response.content.readany()
            if not data:
                raise aiohttp.ServerDisconnectedError("the stream ended without [DONE]")
            try:
                self._received.extend(self._decoder.feed(data))
            except ValueError as error:
                raise NodeError(f"node {self.node.node}: {error}") from error
        data = self._received.popleft()
        return None if data == _DONE else Event(data, read_chunk(data))

    def close(self) -> None:
        """Close the connection; one whose answer was read to its end is back in the pool by then."""
        self._response.close()
        closed, self._closed = self._closed, None
        if closed is not None:
            closed()


def _what(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
