"""Who is calling: tenant, trajectory, group, channel, turn and logical call, from the path, the headers and the body.

Invariant: nobody shares a trajectory or a group without having named it. A call that names neither is a trajectory of
its own; a session without a group is a group of its own. Of several places that name a thing, the first counts::

    trajectory   path, X-ClawStream-Trajectory, X-Session-Id, trajectory_uid, session_id; else a new one
    group        path, X-ClawStream-Group, prompt_uid; else the trajectory's own
"""

from collections.abc import Mapping

import msgspec

from clawstream.gateway.errors import invalid
from clawstream.schemas import new_id

TENANT = "default"  # of a caller without a key of its own

_MAX_CHARACTERS = 200
_SEPARATOR = "\0"  # in no name, since names are printable
_TRUE = frozenset({"1", "true", "yes", "on"})


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a body says of its caller; it counts where path and headers say nothing."""

    trajectory_id: str | None = None  # trajectory_uid, as Claw-R1's documents have it
    group_id: str | None = None  # prompt_uid
    channel: str | None = None
    session_id: str | None = None  # OpenClaw-RL's, as are the next two
    turn_type: str | None = None
    session_done: str | None = None


NO_CLAIMS = Claims()


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """The identity of one call."""

    tenant: str
    trajectory_id: str
    group_id: str
    channel: str | None  # named by this call; None: as the trajectory was registered
    agent: str  # empty: unknown
    turn_type: str  # main or side
    request_key: str  # the logical call, over its retries
    attempt: int  # 1 for the first try
    session_done: bool  # True: this was the trajectory's last call
    session_id: str | None  # to be named in the answer; None: the caller speaks of no session

    @property
    def scope(self) -> str:
        """As in ``scope_of``."""
        return scope_of(self.tenant, self.trajectory_id)


def scope_of(tenant: str, trajectory_id: str) -> str:
    """What a tenant's trajectory is known by in memory: names of different tenants are never equal."""
    return trajectory_id if tenant == TENANT else f"{tenant}{_SEPARATOR}{trajectory_id}"


def trajectory_of(scope: str) -> str:
    """The trajectory in ``scope``."""
    return scope.rpartition(_SEPARATOR)[2]


def named_trajectory(
    path: Mapping[str, str], headers: Mapping[str, str], claims: Claims = NO_CLAIMS
) -> tuple[str, str] | None:
    """Trajectory and group as the caller named them; ``None`` when it named no trajectory."""
    in_headers = headers.get("X-ClawStream-Trajectory") or headers.get("X-Session-Id")
    trajectory = path.get("trajectory") or in_headers or claims.trajectory_id or claims.session_id
    if not trajectory and "trajectory" not in path:
        return None
    trajectory = checked(trajectory or "", "trajectory")
    return trajectory, _group(path, headers, claims, trajectory)


def identify(
    path: Mapping[str, str], headers: Mapping[str, str], claims: Claims = NO_CLAIMS, *, tenant: str = TENANT
) -> Caller:
    """The caller. Raises ``ApiError`` 400 for a name that is none."""
    named = named_trajectory(path, headers, claims)
    if named is None:
        alone = new_id()
        named = alone, _group(path, headers, claims, alone)
    trajectory_id, group_id = named
    channel, key = headers.get("X-ClawStream-Channel") or claims.channel, headers.get("Idempotency-Key")
    turn = (headers.get("X-Turn-Type") or claims.turn_type or "main").strip().lower()
    speaks_of_session = headers.get("X-Session-Id") or claims.session_id
    return Caller(
        tenant=tenant,
        trajectory_id=trajectory_id,
        group_id=group_id,
        channel=checked(channel, "channel") if channel else None,
        agent=headers.get("X-ClawStream-Agent", "")[:_MAX_CHARACTERS].encode(errors="replace").decode(),
        turn_type="main" if turn == "main" else "side",
        request_key=checked(key, "Idempotency-Key") if key else new_id(),
        attempt=1 + _retries(headers.get("x-stainless-retry-count", "")),
        session_done=_says_yes(headers.get("X-Session-Done")) or _says_yes(claims.session_done),
        session_id=trajectory_id if speaks_of_session else None,
    )


def checked(name: str, what: str) -> str:
    """``name`` when it can be a key and be printed. Raises ``ApiError`` 400 naming ``what``."""
    if not name or len(name) > _MAX_CHARACTERS or not name.isprintable():
        raise invalid(
            f"{what} must be 1 to {_MAX_CHARACTERS} printable characters, not {len(name)}: {name!a:.80}", what
        )
    return name


def _group(path: Mapping[str, str], headers: Mapping[str, str], claims: Claims, otherwise: str) -> str:
    named = path.get("group", headers.get("X-ClawStream-Group") or claims.group_id or otherwise)
    return checked(named, "group")


def _says_yes(word: str | None) -> bool:
    return word is not None and word.strip().lower() in _TRUE


def _retries(header: str) -> int:
    return int(header) if header.isascii() and header.isdigit() and len(header) < 6 else 0
