"""The gateway, asked over HTTP: whose key it is, and recording what a reviewer says.

Invariant: the console writes nothing of its own into ``feedback``; each statement goes through the gateway, with the
key of the person who makes it.
"""

from collections.abc import Sequence
from typing import Any

import httpx

_SECONDS = 30.0
_PER_CALL = 500  # statements; the gateway takes 1000


class GatewayError(Exception):
    """The gateway did not do what it was asked: a sentence."""


class KeyRefusedError(GatewayError):
    """The gateway does not know the key."""


class Gateway:
    """The gateway at ``url``."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._client = httpx.AsyncClient(timeout=_SECONDS)

    async def tenant(self, key: str) -> str:
        """Whose key it is. Raises ``KeyRefusedError``, and ``GatewayError`` where nobody can say."""
        answer = await self._ask("GET", "/v1/tenant", key)
        return str(answer.json()["tenant"])

    async def say(self, key: str, statements: Sequence[dict[str, Any]]) -> None:
        """Have ``statements`` recorded. Raises ``GatewayError`` where one was not; those before it may have been."""
        for first in range(0, len(statements), _PER_CALL):
            await self._ask("POST", "/v1/feedback", key, {"statements": list(statements[first : first + _PER_CALL])})

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, method: str, path: str, key: str, body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            answer = await self._client.request(method, f"{self._url}{path}", headers=headers, json=body)
        except (httpx.HTTPError, UnicodeEncodeError) as error:
            raise GatewayError(f"the gateway at {self._url} does not answer: {error!r:.200}") from error
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise KeyRefusedError("the gateway does not know this key")
        if not answer.is_success:
            raise GatewayError(f"the gateway answered {answer.status_code}: {answer.text:.300}")
        return answer
