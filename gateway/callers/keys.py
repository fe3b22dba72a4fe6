"""The keys file: which tenants there are, by which keys they are known, and what each may use. Pure.

Invariant: a key itself is never kept, only its SHA-256, and a key that is given is compared with every one of them in
constant time. (A key is 256 random bits, so a hash that is slow on purpose would protect nothing more.)::

    [acme]                                    # clawstream.toml: [gateway] keys_file = "keys.toml"
    keys = ["9f86d081…", "60303ae2…"]         # as `clawstream key` prints them; two while one is being replaced
    requests_per_minute = 600
"""

import hashlib
import hmac
import re
import secrets
import tomllib
from collections.abc import Mapping

import msgspec

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant may use; ``None``: as much as there is."""

    calls_in_flight: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None  # prompt and answer together, as are those of a day
    tokens_per_day: int | None = None


NO_LIMITS = Limits()


class Entry(Limits, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tenant of the file."""

    keys: list[str] = []
    policy: str | None = None  # name of the LoRA adapter that answers it; None: the model does

    def may_use(self, digest: str) -> bool:
        """Is ``digest`` that of one of its keys? Takes the same time whichever it is, if any."""
        return sum(hmac.compare_digest(digest, each) for each in self.keys) > 0


class KeysError(ValueError):
    """A keys file that cannot be used."""


def new_key() -> str:
    """A new key."""
    return f"cs-{secrets.token_urlsafe(32)}"


def digest_of(key: str) -> str:
    """What is kept of ``key``."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def read_keys(text: str) -> dict[str, Entry]:
    """The tenants of a keys file. Raises ``KeysError`` naming what does not fit."""
    try:
        entries = msgspec.convert(tomllib.loads(text), dict[str, Entry])
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise KeysError(str(error)) from error
    owners: dict[str, str] = {}
    for tenant, entry in entries.items():
        _check(tenant, entry)
        for digest in entry.keys:
            if owners.setdefault(digest, tenant) != tenant:
                raise KeysError(f"[{tenant}] keys: {digest[:8]}… is also a key of {owners[digest]}")
    return entries


def tenant_of(digest: str, entries: Mapping[str, Entry]) -> str | None:
    """Whose key has ``digest``."""
    found = [tenant for tenant, entry in entries.items() if entry.may_use(digest)]
    return found[0] if found else None


def _check(tenant: str, entry: Entry) -> None:
    if _TENANT.fullmatch(tenant) is None:
        raise KeysError(f"[{tenant}]: a tenant's name is 1 to 64 letters, digits, dots, dashes and underscores")
    for digest in entry.keys:
        if _DIGEST.fullmatch(digest) is None:
            raise KeysError(f"[{tenant}] keys: {digest[:8]}… is no SHA-256 in hex; clawstream key prints one")
    for name in Limits.__struct_fields__:
        if (limit := getattr(entry, name)) is not None and limit < 1:
            raise KeysError(f"[{tenant}] {name}: {limit} is less than 1; leave it out for no limit")
