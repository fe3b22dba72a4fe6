"""A call on its way: identified, admitted, answered by a node, sealed, ended. One way for every dialect.

Invariant: a 2xx answer is given to its end only after its step is in the log; a call that did not come to its end is
in the log too, and says why it must not train::

    client ─ask─> gateway ─stream─> node
    client <─ frames, each at once ─ gateway <─ chunks ─ node
                                     gateway ─ step ─> Kafka
    client <─ end, or the whole ─ gateway <─ ack ─ Kafka
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiohttp import web
from aiohttp.typedefs import Handler

from clawstream.gateway.answers import Answers
from clawstream.gateway.context import GATEWAY, Gateway
from clawstream.gateway.dialects.exchange import Dialect, Exchange
from clawstream.gateway.errors import ApiError, NodeError
from clawstream.gateway.feedback import say
from clawstream.gateway.identity import identify
from clawstream.gateway.integrity import Ended
from clawstream.gateway.node_stream import NodeStream
from clawstream.gateway.reading import read_object
from clawstream.gateway.record import Call
from clawstream.schemas import new_id, now

Forward = Callable[[bytes], Awaitable[None]]

_STREAM_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def answering(dialect: Dialect) -> Handler:
    """The handler of a route that speaks ``dialect``."""

    async def handler(request: web.Request) -> web.StreamResponse:
        return await _answer(request, dialect)

    return handler


async def _answer(request: web.Request, dialect: Dialect) -> web.StreamResponse:
    gateway, received_at = request.app[GATEWAY], now()
    exchange = dialect(read_object(await request.read()))
    asked = exchange.asked
    caller = identify(request.match_info, request.headers, asked.claims)
    exchange.session_id = caller.session_id
    with gateway.place():
        gateway.trajectories.admit(
            caller.trajectory_id, caller.channel, time.monotonic(), trains=caller.turn_type == "main"
        )
        channel = caller.channel or gateway.trajectories.channel(caller.trajectory_id)
        plan = await gateway.continuations.plan(caller.trajectory_id, asked)
        call = Call(step_id=new_id(), caller=caller, channel=channel, asked=asked, received_at=received_at, plan=plan)
        stream = await gateway.node_client.open(caller.trajectory_id, asked, plan.known)
        calls = [call, *(_another(call, index) for index in range(1, asked.count))]
        try:
            if asked.stream:
                return await _streamed(request, gateway, calls, exchange, stream)
            return await _whole(gateway, calls, exchange, stream)
        finally:
            stream.close()


def _another(call: Call, index: int) -> Call:
    """The same call for its answer ``index``: no retry of the first, so it has a request key of its own."""
    caller = replace(call.caller, request_key=f"{call.caller.request_key}#{index}")
    return replace(call, step_id=new_id(), caller=caller)


async def _whole(gateway: Gateway, calls: list[Call], exchange: Exchange, stream: NodeStream) -> web.Response:
    async def keep(_: bytes) -> None:
        """The client sees nothing before the end."""

    answers = await _take(gateway, calls, exchange, stream, keep)
    return web.Response(body=exchange.whole(answers), headers=_headers(calls) | {"Content-Type": "application/json"})


async def _streamed(
    request: web.Request, gateway: Gateway, calls: list[Call], exchange: Exchange, stream: NodeStream
) -> web.StreamResponse:
    response = web.StreamResponse(headers=_headers(calls) | _STREAM_HEADERS)

    async def send(data: bytes) -> None:
        async with asyncio.timeout(gateway.settings.silence_seconds):
            if not response.prepared:
                await response.prepare(request)
            await response.write(data)

    async def take() -> bytes:
        try:
            return exchange.end(await _take(gateway, calls, exchange, stream, send))
        except ApiError as error:
            if not response.prepared:
                raise
            return exchange.broken(error)

    with contextlib.suppress(ConnectionError, TimeoutError):  # the client went away, which the step says
        await send(await take())
    return response


async def _take(
    gateway: Gateway, calls: list[Call], exchange: Exchange, stream: NodeStream, forward: Forward
) -> Answers:
    """Take in the whole answer, forwarding what the client is to see of each event at once, and seal its steps.

    Raises ``ApiError`` when the node failed or a step could not be recorded, ``ConnectionError``, ``TimeoutError``
    or ``CancelledError`` when the client went away. However it ended, the steps say so.
    """
    answers = Answers(len(calls), keep_logprobs=calls[0].asked.wants.logprobs)

    async def seal(ended: Ended | None = None) -> None:
        answers.settle()
        pairs = zip(calls, answers.each, strict=True)
        await asyncio.gather(*(gateway.sealer.seal(call, answer, stream.node, ended) for call, answer in pairs))

    def seal_later(ended: Ended) -> None:
        stream.close()
        gateway.later(seal(ended))

    try:
        async for data, chunk in stream:
            answers.add(chunk, now())
            if frames := exchange.frames(data, chunk):
                await forward(frames)
    except NodeError as failure:
        seal_later("abort")
        raise failure.as_api_error() from failure
    except (asyncio.CancelledError, ConnectionError, TimeoutError):
        seal_later("disconnect")
        raise
    await seal()
    caller = calls[0].caller
    if caller.session_done:
        await say(gateway, "completed", caller.trajectory_id, caller.group_id)
    return answers


def _headers(calls: list[Call]) -> dict[str, str]:
    return {
        "X-ClawStream-Trajectory": calls[0].caller.trajectory_id,
        "X-ClawStream-Step": ", ".join(call.step_id for call in calls),
    }
