"""A call on its way: identified, admitted, answered by a node, sealed, ended. One way for every dialect.

Invariant: a 2xx answer is given to its end only after its step is in the log, or says that it is not; a call that did
not come to its end is in the log too, and says why it must not train. Another try of a call gets that call's answer
(see ``calls/retries.py``)::

    client ─ask─> gateway ─stream─> node
    client <─ frames, each at once ─ gateway <─ chunks ─ node
                                     gateway ─ step ─> Kafka
    client <─ end, or the whole ─ gateway <─ ack ─ Kafka
"""

import asyncio
import contextlib

from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec.structs import replace

from clawstream.gateway.callers.identity import Caller, identify, named_trajectory
from clawstream.gateway.calls.record import Call, tokens_used
from clawstream.gateway.calls.retries import Logical, in_own_trajectory, logical_call
from clawstream.gateway.calls.runs import Run
from clawstream.gateway.chat.answers import Answers
from clawstream.gateway.chat.request import ChatRequest
from clawstream.gateway.context import GATEWAY, TENANT_KEY, Gateway
from clawstream.gateway.dialects.exchange import Dialect, Exchange
from clawstream.gateway.errors import ApiError, NodeError
from clawstream.gateway.log.feedback import say
from clawstream.gateway.reading import read_object
from clawstream.gateway.routes.ownership import may_use
from clawstream.gateway.tokens.integrity import Ended
from clawstream.gateway.upstreams.node_stream import NodeStream
from clawstream.schemas import new_id, now

_REPLAYED = {"Idempotent-Replayed": "true"}
_UNRECORDED = {"X-ClawStream-Recorded": "false"}  # not in the log, as far as was known when it was sent
_UNRECORDED_COMMENT = b": x-clawstream-recorded: false\n\n"  # the same in a stream, where it was not known before
_SMALL_BYTES = 16 * 1024  # that the system takes at once where nothing waits before them
_UNTIMED = contextlib.nullcontext()
_STREAM_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def answering(dialect: Dialect) -> Handler:
    """The handler of a route that speaks ``dialect``."""

    async def handler(request: web.Request) -> web.StreamResponse:
        return await _answer(request, dialect)

    return handler


async def _answer(request: web.Request, dialect: Dialect) -> web.StreamResponse:
    gateway, body = request.app[GATEWAY], await request.read()
    exchange = dialect(read_object(body))
    asked = exchange.asked
    named = named_trajectory(request.match_info, request.headers, asked.claims) is not None
    caller = identify(request.match_info, request.headers, asked.claims, tenant=request[TENANT_KEY])
    exchange.session_id = caller.session_id
    logical = logical_call(request.path, body, request.headers, caller, named=named)
    run = gateway.retries.join(logical) if logical is not None else None
    if run is not None:
        with gateway.place(caller.tenant):
            return await _tell(request, gateway, run, asked, _REPLAYED)
    if logical is not None and not named:
        caller = in_own_trajectory(caller, body)
    run = gateway.retries.begin(logical)
    gateway.later(_perform(gateway, caller, exchange, run, logical))
    return await _tell(request, gateway, run, asked, {})


async def _tell(
    request: web.Request, gateway: Gateway, run: Run, asked: ChatRequest, headers: dict[str, str]
) -> web.StreamResponse:
    """Pass on what ``run`` says. Raises the ``ApiError`` that it ended with before it said anything."""
    with run.listener() as listener:
        if not asked.stream:
            body = await listener.whole()
            return web.Response(body=body, headers=run.headers | headers | {"Content-Type": "application/json"})
        data = await listener.next()
        response = web.StreamResponse(headers=run.headers | headers | _STREAM_HEADERS)
        while data and await _sent(request, response, data, gateway.settings.silence_seconds):
            data = await listener.next()
        return response


async def _sent(request: web.Request, response: web.StreamResponse, data: bytes, seconds: float) -> bool:
    """Send ``data``; False when the client is gone, or does not read: then its connection is closed, for the end of the
    answer would wait there for as long as the client likes."""
    transport = request.transport
    waits = transport is None or transport.get_write_buffer_size() > 0 or len(data) > _SMALL_BYTES
    try:
        async with asyncio.timeout(seconds) if waits else _UNTIMED:  # a timer for every token would show
            if not response.prepared:
                await response.prepare(request)
            await response.write(data)
    except ConnectionError:
        return False
    except TimeoutError:
        if transport is not None:
            transport.abort()
        return False
    return True


async def _perform(gateway: Gateway, caller: Caller, exchange: Exchange, run: Run, logical: Logical | None) -> None:
    """Let ``run`` say the answer, whether one request waits for it or several."""
    try:
        await run.perform(_call(gateway, caller, exchange, run))
    finally:
        gateway.retries.ended(logical, run)


async def _call(gateway: Gateway, caller: Caller, exchange: Exchange, run: Run) -> None:
    asked, received_at = gateway.addressed(caller.tenant, exchange.asked), now()
    if not gateway.sealer.serves_unrecorded:
        gateway.ledger.check()
    gateway.quotas.check_tokens(caller.tenant)
    with gateway.place(caller.tenant):
        await may_use(gateway, caller.tenant, caller.trajectory_id)
        trains = caller.turn_type == "main"
        names, model = (caller.trajectory_id, caller.group_id, caller.channel), asked.model
        channel = gateway.admit(caller.tenant, *names, trains=trains, model=model)
        plan = await gateway.continuations.plan(caller.scope, asked)
        call = Call(step_id=new_id(), caller=caller, channel=channel, asked=asked, received_at=received_at, plan=plan)
        stream = await gateway.node_client.open(caller.trajectory_id, asked, plan.known)
        calls = [call, *(_another(call, index) for index in range(1, asked.count))]
        run.headers = _headers(calls) | (_UNRECORDED if gateway.ledger.is_out else {})
        try:
            answers, recorded = await _take(gateway, calls, exchange, stream, run)
            run.headers |= {} if recorded else _UNRECORDED
            mark = b"" if recorded else _UNRECORDED_COMMENT
            run.say(mark + exchange.end(answers) if asked.stream else exchange.whole(answers))
        except ApiError as error:
            if not run.has_begun:
                raise
            run.failed = True
            run.say(exchange.broken(error))
        finally:
            stream.close()


def _another(call: Call, index: int) -> Call:
    """The same call for its answer ``index``: no retry of the first, so it has a request key of its own."""
    caller = replace(call.caller, request_key=f"{call.caller.request_key}#{index}")
    return replace(call, step_id=new_id(), caller=caller)


async def _take(
    gateway: Gateway, calls: list[Call], exchange: Exchange, stream: NodeStream, run: Run
) -> tuple[Answers, bool]:
    """Take in the whole answer and seal its steps. Are they in the log?

    Raises ``ApiError`` when the node failed or a step could not be recorded, ``CancelledError`` when nobody listens any
    more. However it ended, the steps say so.
    """
    answers = Answers(len(calls), keep_logprobs=calls[0].asked.wants.logprobs)

    async def seal(ended: Ended | None = None) -> bool:
        answers.settle()
        gateway.quotas.charge(calls[0].caller.tenant, tokens_used(answers.each))
        sealed = [
            gateway.sealer.seal(call, answer, stream.node, ended)
            for call, answer in zip(calls, answers.each, strict=True)
        ]
        return all(await asyncio.gather(*sealed)) if len(sealed) > 1 else await sealed[0]

    def seal_later(ended: Ended) -> None:
        stream.close()
        gateway.later(seal(ended))

    try:
        await _hear(stream, answers, exchange, run)
    except NodeError as failure:
        seal_later("abort")
        raise failure.as_api_error() from failure
    except asyncio.CancelledError:
        seal_later("disconnect")
        raise
    recorded, caller = await seal(), calls[0].caller
    if caller.session_done and recorded:
        await say(gateway.ledger, caller.tenant, "completed", caller.trajectory_id, caller.group_id)
    return answers, recorded


async def _hear(stream: NodeStream, answers: Answers, exchange: Exchange, run: Run) -> None:
    """Add every event to ``answers``, and say at once what the client is to see of it.

    Raises as ``_take``; what had come by then is in ``answers`` too, for it was sampled.
    """
    try:
        async for events in stream:
            at = now()
            for data, chunk in events:
                answers.add(chunk, at)
                if frames := exchange.frames(data, chunk):
                    run.say(frames)
            await run.room()
            if not exchange.asked.stream and answers.have_begun:
                stream.in_bulk()
        await run.commit()
    except asyncio.CancelledError:
        with contextlib.suppress(NodeError):
            for _, chunk in stream.rest():
                answers.add(chunk, now())
        raise


def _headers(calls: list[Call]) -> dict[str, str]:
    return {
        "X-ClawStream-Trajectory": calls[0].caller.trajectory_id,
        "X-ClawStream-Step": ", ".join(call.step_id for call in calls),
    }
