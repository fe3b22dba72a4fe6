"""Which run a request is another try of, and which answers are kept for tries to come.

Invariant: what is kept is bounded in bytes and in time, and no failure is kept. Two kinds of tries are told from new
calls, and nothing else is::

    Idempotency-Key: k        the same key in the same trajectory; with another body it is refused
    x-stainless-retry-count   an SDK's own retry: the same body in the same named trajectory, its count above that of
                              the try that it repeats, which is under way or ended some seconds ago
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from clawstream.gateway.callers.identity import Caller
from clawstream.gateway.calls.runs import Run
from clawstream.gateway.errors import ApiError
from clawstream.gateway.metrics import RETRIES, RETRIES_SHED
from clawstream.schemas import derived_id

KEY, RETRY_COUNT = "Idempotency-Key", "x-stainless-retry-count"

_SDK_SECONDS = 10.0  # an SDK tries again after 8 s at most
_LEAST_BYTES = 1024  # what a run counts as, however little was said


class Logical(msgspec.Struct, frozen=True, kw_only=True):
    """A call that may be tried several times."""

    name: tuple[str, ...]  # equal for the tries of one call; of an SDK's tries also for equal calls
    digest: bytes  # of route and body
    attempt: int
    keyed: bool  # by an Idempotency-Key


def logical_call(route: str, body: bytes, headers: Mapping[str, str], caller: Caller, *, named: bool) -> Logical | None:
    """What the tries of this request have in common; ``None`` where a retry could not be told from a new call.

    ``named``: the caller named its trajectory.
    """
    key = headers.get(KEY)
    if not key and not (named and RETRY_COUNT in headers):
        return None
    digest = hashlib.sha256(route.encode() + b"\0" + body).digest()
    scope = caller.trajectory_id if named else ""
    name = (caller.tenant, scope, key) if key else (caller.tenant, scope, digest.hex())
    return Logical(name=name, digest=digest, attempt=caller.attempt, keyed=bool(key))


def in_own_trajectory(caller: Caller, body: bytes) -> Caller:
    """``caller``, which named a key and no trajectory, in one that is the same for its tries, wherever they arrive."""
    alone = caller.trajectory_id
    trajectory_id = derived_id("trajectory", caller.tenant, caller.request_key, hashlib.sha256(body).hexdigest())
    group_id = trajectory_id if caller.group_id == alone else caller.group_id
    return replace(caller, trajectory_id=trajectory_id, group_id=group_id)


@dataclass(kw_only=True)
class _Kept:
    run: Run
    logical: Logical
    attempt: int  # the highest that has joined
    ended_at: float | None = None  # monotonic seconds


class Retries:
    """The runs that another try may join."""

    def __init__(
        self, max_bytes: int, keep_seconds: float, grace_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``max_bytes``: for all that is kept; ``keep_seconds``: how long answers of keyed calls are kept."""
        self._grace_seconds, self._clock = grace_seconds, clock
        self._keyed = _Shelf(max_bytes // 2, keep_seconds)
        self._sdk = _Shelf(max_bytes - max_bytes // 2, min(keep_seconds, _SDK_SECONDS))

    @property
    def byte_count(self) -> int:
        """Bytes kept, as they count."""
        return self._keyed.byte_count + self._sdk.byte_count

    def join(self, logical: Logical) -> Run | None:
        """The run of which ``logical`` is another try. Raises ``ApiError`` 422 for its key with another body."""
        shelf = self._shelf(logical)
        shelf.sweep(self._clock())
        found = _match(logical, shelf.named(logical.name)) if logical.keyed or logical.attempt > 1 else None
        if found is None:
            return None
        if found.logical.digest != logical.digest:
            RETRIES.labels("refused").inc()
            raise ApiError(
                422,
                f"{KEY} {logical.name[-1]!a:.80} was used for another request; a new request needs a key of its own",
                param=KEY,
                code="idempotency_key_reused",
            )
        found.attempt = max(found.attempt, logical.attempt)
        RETRIES.labels("joined" if found.ended_at is None else "replayed").inc()
        return found.run

    def begin(self, logical: Logical | None) -> Run:
        """A new run, kept for other tries of ``logical`` where there can be any."""
        if logical is None:
            return Run(0.0)
        return self._shelf(logical).begin(logical, self._grace_seconds)

    def ended(self, logical: Logical | None, run: Run) -> None:
        """``run`` has ended; an answer stays for a while, a failure does not."""
        if logical is not None:
            self._shelf(logical).ended(run, self._clock())

    def _shelf(self, logical: Logical) -> "_Shelf":
        return self._keyed if logical.keyed else self._sdk


def _match(logical: Logical, kept: Iterable[_Kept]) -> _Kept | None:
    """The run to join among those of the same name, in the order in which they began.

    Equal calls of an SDK under way side by side each get their own retry: it goes to the one that was tried most often,
    but less often than it, and of those to the first.
    """
    open_runs = [each for each in kept if each.run.is_open]
    if logical.keyed:
        return open_runs[0] if open_runs else None
    earlier = [each for each in open_runs if each.attempt < logical.attempt]
    return max(earlier, key=lambda each: each.attempt, default=None)


class _Shelf:
    """Runs of one kind: what ended longest ago goes first, then what began longest ago."""

    def __init__(self, max_bytes: int, keep_seconds: float) -> None:
        self._max_bytes, self._keep_seconds = max_bytes, keep_seconds
        self._names: dict[tuple[str, ...], dict[Run, _Kept]] = {}
        self._under_way: OrderedDict[Run, _Kept] = OrderedDict()
        self._ended: OrderedDict[Run, _Kept] = OrderedDict()
        self.byte_count = 0

    def named(self, name: tuple[str, ...]) -> Iterable[_Kept]:
        """The runs of ``name``, in the order in which they began."""
        return self._names.get(name, {}).values()

    def begin(self, logical: Logical, grace_seconds: float) -> Run:
        """A new run of ``logical``."""
        run = Run(grace_seconds, grew=self._grew, until_begun=not logical.keyed)  # SDKs retry no stream that has begun
        kept = _Kept(run=run, logical=logical, attempt=logical.attempt)
        self._names.setdefault(logical.name, {})[run] = kept
        self._under_way[run] = kept
        self._grew(_LEAST_BYTES)
        return run

    def ended(self, run: Run, now_seconds: float) -> None:
        """Keep the answer, drop a failure."""
        kept = self._under_way.pop(run, None)
        if kept is None:
            return
        self._ended[run] = kept
        kept.ended_at = now_seconds
        if not run.is_open:
            self._drop(run)

    def sweep(self, now_seconds: float) -> None:
        """Drop what was kept for its time."""
        while self._ended:
            run, kept = next(iter(self._ended.items()))
            if now_seconds - (kept.ended_at or 0.0) < self._keep_seconds:
                break
            self._drop(run)

    def _grew(self, byte_count: int) -> None:
        self.byte_count += byte_count
        while self.byte_count > self._max_bytes and (self._ended or self._under_way):
            RETRIES_SHED.inc()
            self._drop(next(iter(self._ended or self._under_way)))

    def _drop(self, run: Run) -> None:
        kept = self._ended.pop(run, None) or self._under_way.pop(run)
        same = self._names[kept.logical.name]
        del same[run]
        if not same:
            del self._names[kept.logical.name]
        self.byte_count -= _LEAST_BYTES + run.byte_count
        run.forget()
