"""Errors that a client sees, in OpenAI's shape or Anthropic's::

    {"error": {"message", "type", "param", "code"}, "detail"}        {"type": "error", "error": {"type", "message"}}

``detail`` is the message again, where clients of Claw-R1 and OpenClaw-RL look for it.
"""

import json

INVALID = "invalid_request_error"
UNAVAILABLE = "service_unavailable_error"
RATE_LIMIT = "rate_limit_error"
UPSTREAM = "upstream_error"


_ANTHROPIC = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class ApiError(Exception):
    """An answer other than 2xx. Retrying helps where ``retry_after_seconds`` is set."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = INVALID,
        param: str | None = None,
        code: str | None = None,
        retry_after_seconds: int | None = None,
        raw: bytes | None = None,
    ) -> None:
        """``raw``: a body to send as it is, where the node already worded one in OpenAI's shape."""
        super().__init__(message)
        self.status, self.message, self.kind = status, message, kind
        self.param, self.code = param, code
        self.retry_after_seconds = retry_after_seconds
        self._raw = raw

    @property
    def body(self) -> bytes:
        """The JSON body."""
        if self._raw is not None:
            return self._raw
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return json.dumps({"error": error, "detail": self.message}).encode()

    @property
    def said(self) -> str:
        """The message; the node's own where it worded the body."""
        found = None if self._raw is None else json.loads(self._raw)["error"].get("message")
        return found if isinstance(found, str) else self.message

    @property
    def headers(self) -> dict[str, str]:
        """Headers that go with the body."""
        retry = {} if self.retry_after_seconds is None else {"Retry-After": str(self.retry_after_seconds)}
        return {"Content-Type": "application/json"} | retry


def anthropic_error(error: ApiError) -> bytes:
    """``error`` as Anthropic words it; where a node worded it in OpenAI's shape, with its message."""
    otherwise = "invalid_request_error" if error.status < 500 else "api_error"
    said = {"type": _ANTHROPIC.get(error.status, otherwise), "message": error.said}
    return json.dumps({"type": "error", "error": said}).encode()


class NodeError(Exception):
    """A node's answer broke off or made no sense."""

    def __init__(self, message: str, *, status: int = 502, raw: bytes | None = None) -> None:
        super().__init__(message)
        self.message, self.status, self.raw = message, status, raw

    def as_api_error(self) -> ApiError:
        """What the client is told."""
        return ApiError(self.status, self.message, kind=UPSTREAM, code="node_failed", raw=self.raw)


def invalid(message: str, param: str | None = None) -> ApiError:
    """400: the client must change its request."""
    return ApiError(400, message, param=param, code="invalid_value")


def unavailable(message: str, code: str, retry_after_seconds: int = 1) -> ApiError:
    """503: the same request may succeed later."""
    return ApiError(503, message, kind=UNAVAILABLE, code=code, retry_after_seconds=retry_after_seconds)


def too_many(message: str, code: str, retry_after_seconds: int = 1) -> ApiError:
    """429: the client must slow down."""
    return ApiError(429, message, kind=RATE_LIMIT, code=code, retry_after_seconds=retry_after_seconds)
