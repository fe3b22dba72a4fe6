"""An answer under way, event by event.

Invariant: whoever opened a stream closes it, which makes vLLM stop sampling.
"""

from collections.abc import Callable
from typing import NamedTuple

from clawstream.gateway.chat.chunks import Chunk, read_chunk
from clawstream.gateway.chat.sse import SseDecoder, event
from clawstream.gateway.errors import NodeError
from clawstream.gateway.upstreams.http_answer import BrokenOffError, HttpAnswer, SilenceError
from clawstream.schemas import NodeStatus

_DONE = b"[DONE]"
_DONE_EVENT = event(_DONE)


class Event(NamedTuple):
    """One event of an answer: as it came, and decoded."""

    data: bytes
    chunk: Chunk


class NodeStream:
    """One answer under way. Iterating gives its events up to ``[DONE]``, as many at once as have come;
    :meth:`begin` comes first."""

    def __init__(self, node: NodeStatus, answer: HttpAnswer, closed: Callable[[], None] | None = None) -> None:
        """``closed`` is called once, when the answer is no longer under way."""
        self.node = node
        self._answer, self._decoder, self._closed = answer, SseDecoder(), closed
        self._first: list[Event] = []
        self._is_done = False
        self._failure: NodeError | None = None  # after the events that came before it

    async def begin(self) -> None:
        """Wait for the first event. Raises ``BrokenOffError`` when the connection breaks before it, ``SilenceError``,
        ``NodeError`` when the node reports an error instead."""
        self._first = await self._next()

    def __aiter__(self) -> "NodeStream":
        return self

    async def __anext__(self) -> list[Event]:
        """The next events, at least one. Raises ``NodeError`` when the answer breaks off."""
        events, self._first = self._first, []
        try:
            events = events or await self._next()
        except (BrokenOffError, SilenceError) as error:
            raise NodeError(f"node {self.node.node} broke off its answer: {error}") from error
        if not events:
            raise StopAsyncIteration
        return events

    async def _next(self) -> list[Event]:
        """Empty at the end. What came before an error is given before it is raised."""
        events: list[Event] = []
        while not (events or self._is_done):
            if self._failure is not None:
                raise self._failure
            received = await self._answer.next()
            if not received:
                raise BrokenOffError("the stream ended without [DONE]")
            events = self._decoded(received)
        return events

    def _decoded(self, received: bytes) -> list[Event]:
        events: list[Event] = []
        try:
            for data in self._decoder.feed(received):
                if data == _DONE:
                    self._is_done = True
                    break
                events.append(Event(data, read_chunk(data)))
        except NodeError as error:
            self._failure = error
        except ValueError as error:
            self._failure = NodeError(f"node {self.node.node}: {error}")
        return events

    def in_bulk(self) -> None:
        """Nobody waits for each event any more: they may come many at once."""
        self._answer.in_bulk(_DONE_EVENT)

    def rest(self) -> list[Event]:
        """The events that have come and were not given, for who gives up; perhaps none."""
        return [] if self._is_done or self._failure is not None else self._decoded(self._answer.take())

    def close(self) -> None:
        """Close the connection; one whose answer was read to its end is kept for the next call."""
        self._answer.close()
        closed, self._closed = self._closed, None
        if closed is not None:
            closed()
