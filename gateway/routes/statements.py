"""``POST {base}/feedback``: what an agent, a user or a reviewer says of a trajectory or a step, one or many at once.

Invariant: all statements are checked before any is recorded; each is answered for itself, in order, with its id and
whether its trajectory is known (see ``trajectories/seen.py``). It is recorded either way, since its steps may be on
their way.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web

from clawstream.gateway.callers.identity import checked, named_trajectory, scope_of
from clawstream.gateway.calls.retries import KEY
from clawstream.gateway.context import GATEWAY, TENANT_KEY, Gateway
from clawstream.gateway.errors import ApiError, invalid
from clawstream.gateway.log.feedback import finite, say
from clawstream.gateway.reading import read_object, shaped
from clawstream.gateway.routes.ownership import is_known

MAX_STATEMENTS = 1000  # of one call


StepIndex = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class Curation(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """``detail`` of a curated statement, in Claw-R1's words; at least one of them."""

    quality: Literal["unreviewed", "correct", "incorrect", "missing"] | None = None
    trainable: bool | None = None
    reward_status: str | None = None
    tags: list[str] | None = None
    note: str | None = None
    hint: str | None = None  # of a step: what would have helped before its answer
    step_index: StepIndex | None = None  # of a step in the log's order, from 0


class Statement(msgspec.Struct, kw_only=True):
    """One statement; ``trajectory`` and ``group`` count before those of the path or the headers."""

    kind: Literal["rewarded", "observed", "completed", "aborted", "curated"]
    trajectory: str | None = None
    group: str | None = None
    step_id: str | None = None
    reward: float | None = None
    detail: dict[str, Any] | None = None
    source: str = "agent"
    key: str | None = None  # makes it the same statement when it is made again


class _Batch(msgspec.Struct):
    statements: Annotated[list[Statement], msgspec.Meta(min_length=1, max_length=MAX_STATEMENTS)]


async def feedback(request: web.Request) -> web.Response:
    """Record a statement, or all of ``statements``."""
    gateway, tenant, body = request.app[GATEWAY], request[TENANT_KEY], read_object(await request.read())
    named, key = named_trajectory(request.match_info, request.headers), request.headers.get(KEY)
    if "statements" not in body:
        one = check(shaped(body, Statement), named, key, "")
        known = await is_known(gateway, tenant, one.trajectory or "")
        return web.json_response(await _record(gateway, tenant, one, known))
    statements = [
        check(each, named, f"{key}#{index}" if key else None, f"statements[{index}].")
        for index, each in enumerate(shaped(body, _Batch).statements)
    ]
    return answer(await record_all(gateway, tenant, statements))


def check(statement: Statement, named: tuple[str, str] | None, key: str | None, at: str) -> Statement:
    """``statement`` with its names. ``at``: where it stands in the body. Raises ``ApiError`` 400 naming the field."""
    if statement.kind == "rewarded" and statement.reward is None:
        raise invalid(f"{at}reward: a rewarded statement needs one; a missing reward is not zero", f"{at}reward")
    if statement.kind in ("observed", "curated") and statement.detail is None:
        raise invalid(f"{at}detail: a statement that is {statement.kind} needs one", f"{at}detail")
    if statement.kind not in ("rewarded", "completed") and statement.reward is not None:
        raise invalid(f"{at}reward: a statement that is {statement.kind} has none", f"{at}reward")
    finite(statement.reward, f"{at}reward")
    if statement.kind == "curated":
        _check_curation(statement.detail or {}, f"{at}detail")
    trajectory_id, group_id = named or (None, None)
    if statement.trajectory is not None and statement.trajectory != trajectory_id:
        trajectory_id, group_id = checked(statement.trajectory, f"{at}trajectory"), None
    if trajectory_id is None:
        said = "which trajectory? name it here, in the path, or in the header X-ClawStream-Trajectory"
        raise invalid(f"{at}trajectory: {said}", f"{at}trajectory")
    key = statement.key or key
    return msgspec.structs.replace(
        statement,
        trajectory=trajectory_id,
        group=group_id if statement.group is None else checked(statement.group, f"{at}group"),
        step_id=None if statement.step_id is None else checked(statement.step_id, f"{at}step_id"),
        source=checked(statement.source, f"{at}source"),
        key=checked(key, f"{at}key") if key else None,
    )


async def record_all(gateway: Gateway, tenant: str, statements: list[Statement]) -> list[dict[str, Any] | ApiError]:
    """Record checked ``statements``: the answer to each, or why it was not recorded.

    Raises ``ApiError`` 403, and records nothing, when one is about a trajectory of another tenant's.
    """
    trajectories = list({statement.trajectory or "" for statement in statements})
    are_known = await asyncio.gather(*(is_known(gateway, tenant, each) for each in trajectories))
    known = dict(zip(trajectories, are_known, strict=True))
    recorded = await asyncio.gather(
        *(_record(gateway, tenant, each, known[each.trajectory or ""]) for each in statements), return_exceptions=True
    )
    found: list[dict[str, Any] | ApiError] = []
    for each in recorded:
        if isinstance(each, BaseException) and not isinstance(each, ApiError):
            raise each
        found.append(each)
    return found


def answer(results: list[dict[str, Any] | ApiError], extra: Mapping[str, Any] | None = None) -> web.Response:
    """200 when all were recorded; else the first error that may pass, or the first, with what became of each in
    ``results``."""
    errors = [each for each in results if isinstance(each, ApiError)]
    said = [{"status": "error"} | json.loads(each.body) if isinstance(each, ApiError) else each for each in results]
    if not errors:
        return web.json_response({"status": "ok", "results": said} | dict(extra or {}))
    worst = next((each for each in errors if each.retry_after_seconds is not None), errors[0])
    retry = {name: value for name, value in worst.headers.items() if name == "Retry-After"}
    return web.json_response(json.loads(worst.body) | {"results": said}, status=worst.status, headers=retry)


async def _record(gateway: Gateway, tenant: str, statement: Statement, known: bool) -> dict[str, Any]:
    """Record one checked ``statement``; its answer. Raises ``ApiError`` 503 when Kafka does not take it."""
    trajectory_id = statement.trajectory or ""
    feedback_id = await say(
        gateway.ledger,
        tenant,
        statement.kind,
        trajectory_id,
        statement.group or gateway.seen.group(trajectory_id),
        step_id=statement.step_id,
        reward=statement.reward,
        detail=statement.detail,
        source=statement.source,
        idempotency_key=statement.key,
    )
    if statement.kind == "aborted":
        gateway.trajectories.abort(scope_of(tenant, trajectory_id))
    if statement.kind == "completed":
        gateway.prefixes.forget(scope_of(tenant, trajectory_id))
    return {"status": "ok", "feedback_id": feedback_id, "matched": known}


def _check_curation(detail: dict[str, Any], at: str) -> None:
    try:
        found = msgspec.convert(detail, Curation)
    except msgspec.ValidationError as error:
        raise invalid(f"{at}: {error}", at) from error
    if all(getattr(found, field) is None for field in Curation.__struct_fields__ if field != "step_index"):
        raise invalid(
            f"{at}: a curated statement says one of quality, trainable, reward_status, tags, note and hint", at
        )
