"""``/v1/chat/completions``: one way to a node, streamed or not to the client.

Invariant: a 2xx answer is given to its end only after its step is in the log; a call that did not come to its end is
in the log too, and says why it must not train::

    client ─ask─> gateway ─stream─> node
    client <─ chunks, each at once ─ gateway <─ chunks ─ node
                                     gateway ─ step ─> Kafka
    client <─ [DONE], or the whole ─ gateway <─ ack ─ Kafka
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from clawstream.gateway.answer import Answer, completion
from clawstream.gateway.chat_request import read_chat
from clawstream.gateway.context import GATEWAY, Gateway
from clawstream.gateway.errors import ApiError, NodeError
from clawstream.gateway.feedback import say
from clawstream.gateway.identity import identify
from clawstream.gateway.integrity import Ended
from clawstream.gateway.node import NodeStream
from clawstream.gateway.reading import read_object
from clawstream.gateway.record import Call
from clawstream.gateway.sse import event
from clawstream.gateway.view import visible
from clawstream.schemas import new_id, now

Forward = Callable[[bytes], Awaitable[None]]

_STREAM_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


async def chat_completions(request: web.Request) -> web.StreamResponse:
    """Answer one call."""
    gateway, received_at = request.app[GATEWAY], now()
    asked = read_chat(read_object(await request.read()))
    caller = identify(
        request.match_info,
        request.headers,
        session_id=asked.session_id,
        turn_type=asked.turn_type,
        session_done=asked.session_done,
    )
    with gateway.place():
        gateway.trajectories.admit(
            caller.trajectory_id, caller.channel, time.monotonic(), trains=caller.turn_type == "main"
        )
        channel = caller.channel or gateway.trajectories.channel(caller.trajectory_id)
        plan = await gateway.continuations.plan(caller.trajectory_id, asked)
        call = Call(step_id=new_id(), caller=caller, channel=channel, asked=asked, received_at=received_at, plan=plan)
        stream = await gateway.node_client.open(caller.trajectory_id, asked, plan.known)
        try:
            if asked.stream:
                return await _streamed(request, gateway, call, stream)
            return await _whole(gateway, call, stream)
        finally:
            stream.close()


async def _whole(gateway: Gateway, call: Call, stream: NodeStream) -> web.Response:
    async def keep(_: bytes) -> None:
        """The client sees nothing before the end."""

    answer = await _take(gateway, call, stream, keep)
    body = msgspec.json.encode(completion(answer, call.asked.wants))
    return web.Response(body=body, headers=_headers(call) | {"Content-Type": "application/json"})


async def _streamed(request: web.Request, gateway: Gateway, call: Call, stream: NodeStream) -> web.StreamResponse:
    response = web.StreamResponse(headers=_headers(call) | _STREAM_HEADERS)

    async def forward(data: bytes) -> None:
        shown = visible(data, call.asked.wants)
        if shown is not None:
            await send(event(shown))

    async def send(data: bytes) -> None:
        async with asyncio.timeout(gateway.settings.silence_seconds):
            if not response.prepared:
                await response.prepare(request)
            await response.write(data)

    async def take() -> bytes:
        try:
            await _take(gateway, call, stream, forward)
        except ApiError as error:
            if not response.prepared:
                raise
            return error.body
        return b"[DONE]"

    with contextlib.suppress(ConnectionError, TimeoutError):  # the client went away, which the step says
        await send(event(await take()))
    return response


async def _take(gateway: Gateway, call: Call, stream: NodeStream, forward: Forward) -> Answer:
    """Take in the whole answer, forwarding each event at once, and seal its step.

    Raises ``ApiError`` when the node failed or the step could not be recorded, ``ConnectionError``, ``TimeoutError``
    or ``CancelledError`` when the client went away. However it ended, the step says so.
    """
    answer = Answer(keep_entries=call.asked.wants.logprobs)

    def seal_later(ended: Ended) -> None:
        stream.close()
        gateway.later(gateway.sealer.seal(call, answer, stream.node, ended))

    try:
        async for data, chunk in stream:
            answer.add(chunk, now())
            await forward(data)
    except NodeError as failure:
        seal_later("abort")
        raise failure.as_api_error() from failure
    except (asyncio.CancelledError, ConnectionError, TimeoutError):
        seal_later("disconnect")
        raise
    await gateway.sealer.seal(call, answer, stream.node)
    if call.caller.session_done:
        await say(gateway, "completed", call.caller.trajectory_id, call.caller.group_id)
    return answer


def _headers(call: Call) -> dict[str, str]:
    return {"X-ClawStream-Trajectory": call.caller.trajectory_id, "X-ClawStream-Step": call.step_id}
