"""What httpx and our calls have in common: requests, results, troubles. Nothing here opens a connection."""

import random
import time
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from clawstream.agents.calls import Call
from clawstream.agents.errors import AgentError
from clawstream.agents.place import DEFAULT_BASE_URL
from clawstream.agents.retrying import Patience, Tried, Trouble, kind_of, next_wait, retry_after

T = TypeVar("T")

_CONNECT_SECONDS = 5.0
_AWAY = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ConnectTimeout)


def gateway_url(base_url: str) -> str:
    """``base_url`` as a gateway prints it, or without its ``/v1``. Raises ``AgentError`` for what is no URL."""
    if urlsplit(base_url).scheme not in ("http", "https") or not urlsplit(base_url).netloc:
        raise AgentError(f"{base_url!r} is no URL of a gateway; one looks like {DEFAULT_BASE_URL}")
    return base_url.rstrip("/").removesuffix("/v1").rstrip("/")


def client_options(url: str, api_key: str | None, call_seconds: float) -> dict[str, Any]:
    """How clients of httpx are made; what takes long to make is made once for all."""
    named = {"Authorization": f"Bearer {api_key}"} if api_key is not None else {}
    return {
        "headers": {"Content-Type": "application/json", **named},
        "timeout": httpx.Timeout(call_seconds, connect=_CONNECT_SECONDS),
        "verify": httpx.create_ssl_context() if url.startswith("https:") else False,
    }


def headers_of(call: Call[Any], tried: Tried) -> dict[str, str]:
    """Headers of the next try."""
    return {**call.headers, "Idempotency-Key": call.key, "X-Stainless-Retry-Count": str(tried.count)}


class Tries:
    """The tries of one call."""

    def __init__(self, patience: Patience) -> None:
        self._patience, self.tried = patience, Tried()

    def wait_after(self, trouble: Trouble) -> float:
        """Seconds until the next try. Raises ``AgentError`` when there is none."""
        self.tried, wait = next_wait(self.tried, trouble, time.monotonic(), self._patience)
        if wait is None:
            raise trouble.as_error()
        return wait * random.uniform(1.0, 1.2)  # noqa: S311 - so that many who wait do not come back at once


def result_of(call: Call[T], response: httpx.Response) -> T | Trouble:
    """The result, or why there is none."""
    if not response.is_success:
        return refusal(call, response)
    try:
        return call.read(msgspec.json.decode(response.content), response.headers)
    except (msgspec.DecodeError, KeyError, TypeError, IndexError, ValueError) as error:
        said = f"{_host(response.request)} answered {call.route} as no gateway does: {type(error).__name__}: {error}"
        return Trouble(kind="refused", message=said, status=response.status_code)


def refusal(call: Call[Any], response: httpx.Response) -> Trouble:
    """What an answer other than 2xx says."""
    message, code = _said(response)
    kind = kind_of(response.status_code, code)
    return Trouble(
        kind=kind,
        message=f"{_host(response.request)} answered {call.route} with {response.status_code}: {message}",
        status=response.status_code,
        code=code,
        retry_after_seconds=retry_after(response.headers.get("Retry-After")),
    )


def lost(call: Call[Any], error: httpx.RequestError) -> Trouble:
    """What no answer says."""
    kind = type(error).__name__
    said = f"{_host(error.request)} gave no answer to {call.route} ({kind}{f': {error}' if str(error) else ''})"
    return Trouble(kind="away" if isinstance(error, _AWAY) else "failed", message=said)


def _host(request: httpx.Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc.decode()}"


def _said(response: httpx.Response) -> tuple[str, str | None]:
    """Message and code of an error in OpenAI's shape; the body's beginning where it has another."""
    try:
        error = msgspec.json.decode(response.content)["error"]
        if isinstance(error, Mapping):
            code = error.get("code")
            return str(error["message"]), code if isinstance(code, str) else None
    except (msgspec.DecodeError, KeyError, TypeError):
        pass
    return response.text[:300] or response.reason_phrase, None
