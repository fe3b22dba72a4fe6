"""Claw-R1's ``POST /api/curation``: a reviewer's word on steps, many at once, as ``curated`` feedback.

Invariant: all updates are checked before any is recorded. A step is named by ``step_id``, or by its place in the log's
order (``step_key`` "trajectory:index", or ``trajectory_uid`` and ``step_index``), which whoever reads the log resolves.
"""

from typing import Annotated, Any

import msgspec
from aiohttp import web

from clawstream.gateway.calls.retries import KEY
from clawstream.gateway.context import GATEWAY, TENANT_KEY
from clawstream.gateway.errors import ApiError, invalid
from clawstream.gateway.reading import read_object, shaped
from clawstream.gateway.routes.statements import MAX_STATEMENTS, Statement, StepIndex, answer, check, record_all
from clawstream.gateway.trajectories.memory import TRAIN

_SOURCE = "curation"
_SAID = ("quality", "trainable", "reward_status", "tags", "note")


class _Update(msgspec.Struct, kw_only=True):
    step_key: str | None = None
    trajectory_uid: str | None = None
    step_index: StepIndex | None = None
    step_id: str | None = None
    quality: Any = None
    trainable: Any = None
    reward_status: Any = None
    tags: Any = None
    note: Any = None


class _Updates(msgspec.Struct):
    updates: Annotated[list[_Update], msgspec.Meta(min_length=1, max_length=MAX_STATEMENTS)]
    channel: str = TRAIN  # Claw-R1's; a trajectory has its channel already


async def curate(request: web.Request) -> web.Response:
    """Record what is said of each step."""
    gateway, body = request.app[GATEWAY], shaped(read_object(await request.read()), _Updates)
    key = request.headers.get(KEY)
    statements = [
        check(_statement(update, f"updates[{index}]."), None, f"{key}#{index}" if key else None, f"updates[{index}].")
        for index, update in enumerate(body.updates)
    ]
    results = await record_all(gateway, request[TENANT_KEY], statements)
    updated = [
        {"step_key": _step_key(statement), "curation": statement.detail, "matched": result["matched"]}
        for statement, result in zip(statements, results, strict=True)
        if not isinstance(result, ApiError)
    ]
    extra = {"channel": body.channel, "channels": [body.channel], "updated": updated, "updated_count": len(updated)}
    return answer(results, extra)


def _statement(update: _Update, at: str) -> Statement:
    trajectory_id, index = update.trajectory_uid, update.step_index
    if update.step_key is not None:
        trajectory_id, _, number = update.step_key.rpartition(":")
        if not (trajectory_id and number.isascii() and number.isdigit() and len(number) < 10):
            raise invalid(f"{at}step_key: {update.step_key!a:.80} is not trajectory:index", f"{at}step_key")
        index = int(number)
    said = {name: value for name in _SAID if (value := getattr(update, name)) is not None}
    return Statement(
        kind="curated",
        trajectory=trajectory_id,
        step_id=update.step_id,
        detail=said if index is None else said | {"step_index": index},
        source=_SOURCE,
    )


def _step_key(statement: Statement) -> str | None:
    index = (statement.detail or {}).get("step_index")
    return statement.step_id if index is None else f"{statement.trajectory}:{index}"
