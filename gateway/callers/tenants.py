"""Whose call it is: the tenant by its key.

Invariant: a changed keys file counts within a second, without a restart; one that cannot be used leaves the last good
one in force, and that is said. Without a key set, every call is of the tenant ``default``; ``api_key`` is that
tenant's key::

    no api_key, no keys_file    everybody is default          (on loopback only, see ``command.py``)
    api_key                     who has it is default
    keys_file                   who has a key of the file is its tenant; api_key, where set too, is default
"""

import logging
import time
from collections.abc import Callable, Mapping

from clawstream.gateway.callers.identity import TENANT
from clawstream.gateway.callers.keys import Entry, KeysError, digest_of, read_keys, tenant_of
from clawstream.gateway.errors import ApiError
from clawstream.gateway.settings import GatewaySettings
from clawstream.streams.settings import SettingsError

_LOOK_SECONDS = 1.0
_BEARER = "Bearer "
_ANTHROPIC_KEY = "x-api-key"
_UNLIMITED = Entry()

_log = logging.getLogger(__name__)


class Tenants:
    """The tenants of ``settings``."""

    def __init__(self, settings: GatewaySettings, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises ``SettingsError`` for a keys file that cannot be used."""
        self._file, self._clock = settings.keys_file, clock
        self._own: dict[str, Entry] = {}
        if settings.api_key is not None:
            self._own[TENANT] = Entry(keys=[digest_of(settings.api_key.get_secret_value())])
        self._entries: dict[str, Entry] = {}
        self._state, self._looked_at = self._stat(), clock()
        if self._file is not None:
            try:
                self._entries = read_keys(self._file.read_text())
            except (OSError, UnicodeDecodeError, KeysError) as error:
                raise SettingsError(f"[gateway] keys_file {self._file} cannot be used: {error}") from error

    @property
    def are_several(self) -> bool:
        """Can there be another tenant than ``default``?"""
        return self._file is not None

    def entry(self, tenant: str) -> Entry:
        """What the keys file says of ``tenant``."""
        return self._entries.get(tenant) or _UNLIMITED

    def of(self, headers: Mapping[str, str]) -> str:
        """The tenant whose key is in ``headers``. Raises ``ApiError`` 401, in OpenClaw-RL's words."""
        self._look()
        if not self._own and self._file is None:
            return TENANT
        given = headers.get("Authorization") or f"{_BEARER}{headers.get(_ANTHROPIC_KEY, '')}"
        key = given.removeprefix(_BEARER) if given.startswith(_BEARER) else ""
        digest = digest_of(key)
        own, found = tenant_of(digest, self._own), tenant_of(digest, self._entries)
        if not key or (own or found) is None:
            said = "invalid api key" if key else "missing bearer token"
            raise ApiError(401, said, kind="authentication_error", code="invalid_api_key")
        return own or found or TENANT

    def _look(self) -> None:
        """Read the keys file again when it has changed."""
        if self._file is None or self._clock() - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = self._clock()
        if (state := self._stat()) == self._state:
            return
        self._state = state
        try:
            self._entries = read_keys(self._file.read_text())
            _log.info("%s: %d tenants", self._file, len(self._entries))
        except (OSError, UnicodeDecodeError, KeysError) as error:
            _log.error("%s cannot be used, so what it said before stays in force: %s", self._file, error)

    def _stat(self) -> tuple[int, int, int] | None:
        if self._file is None:
            return None
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
