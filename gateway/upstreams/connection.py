"""One connection to who answers, and the answer that it carries, as it comes.

Invariant: a connection carries one answer at a time, and the next only when that was read to its end; one that is left
earlier is closed, which makes vLLM stop sampling::

    send ──head, body──> . . . status, headers <── piece <── piece <── end     the connection is kept
                                                       close                   the connection is closed
"""

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

from clawstream.gateway.upstreams.http_answer import BrokenOffError, HttpAnswer

Origin = tuple[str, int, bool]  # host, port, with TLS


class Connection(asyncio.Protocol):
    """One connection, and the answer that it carries."""

    def __init__(
        self,
        origin: Origin,
        keep: Callable[["Connection"], None],
        left: Callable[["Connection"], None],
    ) -> None:
        self.origin, self._keep, self._left = origin, keep, left
        self._transport: asyncio.Transport
        self._parser: httptools.HttpResponseParser
        self._answer: HttpAnswer | None = None
        self._headers: dict[str, str] = {}
        self._is_reading = True
        self._may_stay = False  # for another call, says the answer that ended
        self._idle_since = 0.0

    def send(self, head: bytes, body: bytes, silence_seconds: float) -> HttpAnswer:
        """Ask."""
        self._answer = HttpAnswer(self, silence_seconds)
        self._parser, self._headers, self._may_stay = httptools.HttpResponseParser(self), {}, False
        self._transport.write(head + body)
        return self._answer

    def leave(self, answer: HttpAnswer, *, at_end: bool) -> None:
        """``answer`` is of no interest any more."""
        if self._answer is not answer:
            return
        self._answer = None
        if at_end and self._may_stay and not self._transport.is_closing():
            self.read(more=True)
            self._idle_since = asyncio.get_running_loop().time()
            self._keep(self)
        else:
            self._transport.abort()

    def read(self, *, more: bool) -> None:
        """Read from the socket, or not for the present."""
        if more != self._is_reading and not self._transport.is_closing():
            self._is_reading = more
            (self._transport.resume_reading if more else self._transport.pause_reading)()

    def idle_seconds(self) -> float:
        """How long nobody has used it."""
        return asyncio.get_running_loop().time() - self._idle_since

    def close(self) -> None:
        """End it."""
        self._transport.close()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Asyncio's."""
        answer = self._answer
        if answer is None or answer.has_ended:  # nobody asked
            self._transport.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            answer.failed(BrokenOffError(f"what came is no HTTP: {error}"))
            self._transport.abort()
        answer.heard()

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's."""
        self._left(self)
        if (answer := self._answer) is None:
            return
        if exc is None and answer.status and not {"content-length", "transfer-encoding"} & self._headers.keys():
            answer.ended()  # a body that only the connection's end ends
            answer.heard()
        else:
            answer.failed(BrokenOffError(str(exc) if exc else "the connection was closed"))

    # httptools' side

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser's."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The parser's."""
        answer, status = self._answer, self._parser.get_status_code()
        if answer is None or answer.has_ended:
            self._may_stay = False  # an answer that nobody asked for
        elif status < 200:  # "go on", "early hints": the answer comes after it
            self._headers = {}
        else:
            answer.began(status, self._headers)

    def on_body(self, body: bytes) -> None:
        """The parser's."""
        if self._answer is not None and not self._answer.has_ended:
            self._answer.came(body)

    def on_message_complete(self) -> None:
        """The parser's."""
        if self._answer is not None and self._answer.status and not self._answer.has_ended:
            self._may_stay = self._parser.should_keep_alive()
            self._answer.ended()
