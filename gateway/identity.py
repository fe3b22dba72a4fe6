"""Who is calling: trajectory, group, turn and logical call, from the path and the headers.

Invariant: nobody shares a trajectory or a group without having named it. A call that names neither is a trajectory of
its own; a session without a group is a group of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from clawstream.gateway.errors import invalid
from clawstream.schemas import new_id

_MAX_CHARACTERS = 200
_TRUE = frozenset({"1", "true", "yes", "on"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The identity of one call."""

    trajectory_id: str
    group_id: str
    channel: str | None  # named by this call; None: as the trajectory was registered
    agent: str  # empty: unknown
    turn_type: str  # main or side
    request_key: str  # the logical call, over its retries
    attempt: int  # 1 for the first try
    session_done: bool  # True: this was the trajectory's last call


def named_trajectory(
    path: Mapping[str, str], headers: Mapping[str, str], session_id: str | None = None
) -> tuple[str, str] | None:
    """Trajectory and group as the caller named them; ``None`` when it named no trajectory."""
    if "trajectory" in path:
        return checked(path["trajectory"], "trajectory"), checked(path["group"], "group")
    trajectory = headers.get("X-ClawStream-Trajectory") or headers.get("X-Session-Id") or session_id
    if not trajectory:
        return None
    trajectory = checked(trajectory, "trajectory")
    return trajectory, checked(headers.get("X-ClawStream-Group") or trajectory, "group")


def identify(
    path: Mapping[str, str],
    headers: Mapping[str, str],
    *,
    session_id: str | None = None,
    turn_type: str | None = None,
    session_done: str | None = None,
) -> Caller:
    """The caller; OpenClaw-RL's three body keys count where their headers are absent. Raises ``ApiError`` 400."""
    named = named_trajectory(path, headers, session_id)
    alone = new_id()
    trajectory_id, group_id = named or (alone, checked(headers.get("X-ClawStream-Group") or alone, "group"))
    channel, key = headers.get("X-ClawStream-Channel"), headers.get("Idempotency-Key")
    turn = (headers.get("X-Turn-Type") or turn_type or "main").strip().lower()
    done = (headers.get("X-Session-Done") or session_done or "").strip().lower()
    return Caller(
        trajectory_id=trajectory_id,
        group_id=group_id,
        channel=checked(channel, "channel") if channel else None,
        agent=headers.get("X-ClawStream-Agent", "")[:_MAX_CHARACTERS].encode(errors="replace").decode(),
        turn_type="main" if turn == "main" else "side",
        request_key=checked(key, "Idempotency-Key") if key else new_id(),
        attempt=1 + _retries(headers.get("x-stainless-retry-count", "")),
        session_done=done in _TRUE,
    )


def checked(name: str, what: str) -> str:
    """``name`` when it can be a key and be printed. Raises ``ApiError`` 400 naming ``what``."""
    if not name or len(name) > _MAX_CHARACTERS or not name.isprintable():
        raise invalid(
            f"{what} must be 1 to {_MAX_CHARACTERS} printable characters, not {len(name)}: {name!a:.80}", what
        )
    return name


def _retries(header: str) -> int:
    return int(header) if header.isascii() and header.isdigit() and len(header) < 6 else 0
