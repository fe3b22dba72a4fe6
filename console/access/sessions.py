"""Who is looking: a cookie, and behind it the gateway's key.

Invariant: keys stay in memory, never in the cookie or on disk. The gateway alone says whose a key is; it is asked again
every 45 seconds, and open pages look every 15, so a key that it forgets shows nothing more within a minute. While it
does not answer, what it said last counts.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from clawstream.console.gateway import Gateway, GatewayError, KeyRefusedError

COOKIE = "clawstream_console"
_ASK_AGAIN_SECONDS = 45.0
_MOST_SESSIONS = 10_000
_LONGEST_SECONDS = 12 * 3600.0


@dataclass(kw_only=True)
class Session:
    """One browser."""

    cookie: str
    key: str  # empty: the gateway asks for none
    tenant: str
    began_at: float
    asked_at: float
    person: str = ""  # who says what is said; kept for the next time
    dark: bool | None = None


class Sessions:
    """The sessions of this process."""

    def __init__(
        self, gateway: Gateway, clock: Callable[[], float] = time.monotonic, *, needs_keys: bool = False
    ) -> None:
        """``needs_keys``: nobody is let in where the gateway asks for none."""
        self._gateway, self._clock, self._needs_keys = gateway, clock, needs_keys
        self._sessions: dict[str, Session] = {}

    async def begin(self, key: str) -> str:
        """A new session's cookie. Raises ``GatewayError``."""
        tenant, now = await self._gateway.tenant(key), self._clock()
        if self._needs_keys and await self._asks_for_none():
            raise GatewayError(
                "this console is reached beyond loopback, and its gateway asks for no keys: give it some"
            )
        while len(self._sessions) >= _MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        cookie = secrets.token_urlsafe(32)
        self._sessions[cookie] = Session(cookie=cookie, key=key, tenant=tenant, began_at=now, asked_at=now)
        return cookie

    async def _asks_for_none(self) -> bool:
        try:
            await self._gateway.tenant("")
        except KeyRefusedError:
            return False
        return True

    async def of(self, cookie: str | None) -> Session | None:
        """The session behind ``cookie``, while its key is good."""
        session = self._sessions.get(cookie or "")
        if session is None or cookie is None:
            return None
        now = self._clock()
        if now - session.began_at > _LONGEST_SECONDS:
            self.end(cookie)
            return None
        if now - session.asked_at > _ASK_AGAIN_SECONDS:
            session.asked_at = now
            try:
                tenant = await self._gateway.tenant(session.key)
            except KeyRefusedError:
                tenant = ""
            except GatewayError:
                tenant = session.tenant
            if tenant != session.tenant:
                self.end(cookie)
                return None
        return session

    def end(self, cookie: str) -> None:
        """Forget the session."""
        self._sessions.pop(cookie, None)
