"""Calls over HTTP/1.1, on connections that are kept.

Every call of every agent goes through here, and a general client's sessions, cookies, redirects and timers would be
most of what the gateway spends on one (see docs/decisions/0016): httptools parses, ``connection.py`` and
``http_answer.py`` are the rest.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from urllib.parse import urlsplit

from clawstream.gateway.upstreams.connection import Connection, Origin
from clawstream.gateway.upstreams.http_answer import HttpAnswer


class UnreachedError(ConnectionError):
    """No connection could be made: nothing was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """A URL, taken apart."""

    host: str
    port: int
    tls: bool
    head: bytes  # request line and Host

    @property
    def origin(self) -> Origin:
        return self.host, self.port, self.tls


class Connections:
    """Makes and keeps connections. Close it at the end."""

    def __init__(self, *, connect_seconds: float, silence_seconds: float, keep_seconds: float = 3.0) -> None:
        """``keep_seconds``: how long an idle connection is used again: below vLLM's 5 s, so that we never use one that
        it is closing."""
        self._connect_seconds, self._silence_seconds = connect_seconds, silence_seconds
        self._keep_seconds = keep_seconds
        self._idle: dict[Origin, deque[Connection]] = {}

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        """The answer, once its headers are there; close it. Raises ``UnreachedError``, ``BrokenOffError``,
        ``SilenceError``."""
        target = _target(url)
        connection = self._kept(target) or await self._connected(target)
        answer = connection.send(_head(target, headers, len(body)), body, self._silence_seconds)
        try:
            await answer.begin()
        except BaseException:
            answer.close()
            raise
        return answer

    @asynccontextmanager
    async def asked(self, url: str, body: bytes, headers: Mapping[str, str]) -> AsyncIterator[HttpAnswer]:
        """As ``post``; the answer is closed at the end."""
        answer = await self.post(url, body, headers)
        try:
            yield answer
        finally:
            answer.close()

    def close(self) -> None:
        """Close what is kept; calls under way have their own connections, which they close."""
        for connection in [each for idle in self._idle.values() for each in idle]:
            connection.close()
        self._idle.clear()

    def _kept(self, target: _Target) -> Connection | None:
        idle = self._idle.get(target.origin)
        while idle:
            connection = idle.pop()
            if connection.idle_seconds() < self._keep_seconds:
                return connection
            connection.close()
        return None

    async def _connected(self, target: _Target) -> Connection:
        loop = asyncio.get_running_loop()
        context = _tls() if target.tls else None
        try:
            async with asyncio.timeout(self._connect_seconds):
                _, connection = await loop.create_connection(
                    lambda: Connection(target.origin, self._keep, self._left), target.host, target.port, ssl=context
                )
        except (OSError, UnicodeError) as error:  # a time-out is an OSError
            raise UnreachedError(f"{target.host}:{target.port}: {error or type(error).__name__}") from error
        return connection

    def _keep(self, connection: Connection) -> None:
        idle = self._idle.setdefault(connection.origin, deque())
        while idle and idle[0].idle_seconds() > self._keep_seconds:
            idle.popleft().close()
        idle.append(connection)

    def _left(self, connection: Connection) -> None:
        idle = self._idle.get(connection.origin)
        if idle is not None and connection in idle:
            idle.remove(connection)


@lru_cache(maxsize=256)
def _target(url: str) -> _Target:
    """Raises ``UnreachedError`` for what is no URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UnreachedError(f"{url!a:.200} is no URL: {error}") from error
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise UnreachedError(f"{url!a:.200} is no URL")
    tls = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    name = parts.netloc.rpartition("@")[2]
    return _Target(
        host=host,
        port=port or (443 if tls else 80),
        tls=tls,
        head=f"POST {path} HTTP/1.1\r\nHost: {name}\r\n".encode(),
    )


def _head(target: _Target, headers: Mapping[str, str], body_bytes: int) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return target.head + f"{lines}Content-Length: {body_bytes}\r\n\r\n".encode()


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
