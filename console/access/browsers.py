"""What browsers may do with the console: which hosts it has, which pages may call it, what a page may load and run.

Invariant: a request whose ``Host`` is not one of ours is refused (a name that was made to point here is no way in), and
so is one that another site's page makes, a web socket too. No page runs a script that the console did not send.
"""

import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_HTML = "text/html"
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def policy(nonce: str, host: str) -> str:
    """The content security policy of one page; docs/console.md says why each word is there."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval'",
            "script-src-attr 'none'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src 'self'",
            f"connect-src 'self' ws://{host} wss://{host}",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        )
    )


class Guard:
    """ASGI middleware around everything."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        """``hosts``: names under which the console is reached, besides loopback."""
        self._app, self._hosts = app, {*LOOPBACK, *(host.lower() for host in hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if (refused := self._refused(host, headers.get("origin"))) is not None:
            answer = WebSocketClose(1008) if scope["type"] == "websocket" else PlainTextResponse(refused, 403)
            await answer(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, _Guarded(send, host).send)

    def _refused(self, host: str, origin: str | None) -> str | None:
        if _name(host) not in self._hosts:
            return f"{host!a:.80} is no name of this console; console.hosts can add it\n"
        if origin is not None and urlsplit(origin).netloc != host:
            return f"a page of {origin!a:.80} may not call this console\n"
        return None


class _Guarded:
    """One answer: the headers on it, and the nonce in its scripts."""

    def __init__(self, send: Send, host: str) -> None:
        self._send, self._host, self._nonce = send, host, secrets.token_urlsafe(16)
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        """Send ``message``, a page only once it is whole."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _ALWAYS.items():
                headers[name] = value
            headers["Content-Security-Policy"] = policy(self._nonce, self._host)
            if headers.get("content-type", "").startswith(_HTML):
                self._start = message
                return
        elif self._start is not None:
            self._body += message.get("body", b"")
            if message.get("more_body"):
                return
            message, start = self._page(), self._start
            MutableHeaders(scope=start)["content-length"] = str(len(message["body"]))
            await self._send(start)
        await self._send(message)

    def _page(self) -> Message:
        """NiceGUI escapes every ``<`` of what is shown, so each script tag is of its template."""
        body = self._body.replace(b"<script", f'<script nonce="{self._nonce}"'.encode())
        return {"type": "http.response.body", "body": body}


def _name(host: str) -> str:
    """``host`` without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()
