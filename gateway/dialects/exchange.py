"""What the call path asks of a dialect.

Invariant: what a client sees of an answer is the same whether it is streamed or not, and is what is recorded; no frame
that says that the answer is complete is made before :meth:`Exchange.end`, which is called once its step is sealed.
"""

from collections.abc import Callable
from typing import Any, Protocol

from clawstream.gateway.chat.answers import Answers
from clawstream.gateway.chat.chunks import Chunk
from clawstream.gateway.chat.request import ChatRequest
from clawstream.gateway.errors import ApiError


class Exchange(Protocol):
    """One call in one dialect: its request, read, and its answer, told."""

    session_id: str | None  # named in the answer, where the dialect has a place for it; set before the first frame

    @property
    def asked(self) -> ChatRequest:
        """The request as it goes to a node."""

    def frames(self, data: bytes, chunk: Chunk, /) -> bytes:
        """What a client is sent for a node's event, as it came and decoded; empty for nothing, as it is for a client
        that does not stream. Raises ``NodeError`` for what makes no sense."""

    def end(self, answers: Answers, /) -> bytes:
        """The last frames of a stream. Raises ``ApiError`` for an ending that the dialect cannot express."""

    def whole(self, answers: Answers, /) -> bytes:
        """The body of an answer that is not streamed. Raises as ``end`` does."""

    def broken(self, error: ApiError, /) -> bytes:
        """The last frames of a stream that failed after it had begun."""


Dialect = Callable[[dict[str, Any]], Exchange]  # a body to its exchange; raises ApiError 400 naming the field
