"""Calls of a scoring service over HTTP.

Invariant: no more than ``max_in_flight`` calls are under way, whoever makes them; what a server says about its load is
tried again, what it says about the request is not.
"""

import asyncio
from typing import Any

import aiohttp
import msgspec

from clawstream.processors.rewards.retrying import patiently
from clawstream.processors.rewards.scorer import TryAgainError

_MAX_BYTES = 256 * 1024 * 1024
_BUSY = (408, 425, 429)


class CallError(Exception):
    """The service refused the request, or answered what nobody can read."""


class Endpoint:
    """One service. Its connections are made by the first call and kept."""

    def __init__(
        self,
        url: str,
        *,
        key: str = "",
        max_in_flight: int = 8,
        timeout_seconds: float = 60.0,
        tries: int = 3,
    ) -> None:
        self._url, self._key = url.rstrip("/"), key
        self._timeout_seconds, self._tries = timeout_seconds, tries
        self._room = asyncio.Semaphore(max_in_flight)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, path: str, body: Any) -> Any:
        """The JSON that answers ``body``. Raises ``CallError``, ``TimeoutError``, ``TryAgainError``."""
        async with self._room:
            return await patiently(lambda: self._post(path, body), self._tries, self._timeout_seconds)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, path: str, body: Any) -> Any:
        if self._session is None:
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            self._session = aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=None))
        try:
            async with self._session.post(self._url + path, json=body) as answer:
                content = await answer.content.read(_MAX_BYTES)
                while chunk := await answer.content.read(_MAX_BYTES):
                    content += chunk
                    if len(content) > _MAX_BYTES:
                        raise CallError(f"{self._url}{path} answered more than {_MAX_BYTES} bytes")
        except aiohttp.ClientError as error:
            raise TryAgainError(f"{self._url}{path}: {type(error).__name__}: {error}") from error
        if answer.status in _BUSY or answer.status >= 500:
            raise TryAgainError(f"{self._url}{path} answered {answer.status}: {content[:200]!r}")
        if answer.status >= 300:
            raise CallError(f"{self._url}{path} answered {answer.status}: {content[:200]!r}")
        try:
            return msgspec.json.decode(content)
        except msgspec.DecodeError as error:
            raise CallError(f"{self._url}{path} answered no JSON: {content[:200]!r}") from error
