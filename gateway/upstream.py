"""The connection to a node: opened, read as chunks, closed with the call.

Invariant: only ``/v1/chat/completions`` of a node is ever called, so its control routes cannot be reached from outside.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from clawstream.gateway.errors import ApiError
from clawstream.gateway.request import ChatRequest
from clawstream.gateway.sse import DONE, EventParser
from clawstream.gateway.state import State
from clawstream.schemas import NodeStatus

_ATTEMPTS = 3
_MAX_ERROR_BYTES = 64 * 1024


class BrokenAnswerError(Exception):
    """The node ended its answer in the middle, or sent what is not an answer."""


class NodeAnsweredError(ApiError):
    """The node answered with an error, which the client gets as it is."""

    def __init__(self, status: int, body: bytes, content_type: str) -> None:
        super().__init__(status, f"the node answered {status}")
        self._raw, self._content_type = body, content_type

    def response(self) -> web.Response:
        """The node's own answer."""
        return web.Response(status=self.status, body=self._raw, content_type=self._content_type)


@contextlib.asynccontextmanager
async def opened(
    state: State, trajectory_id: str, request: ChatRequest
) -> AsyncIterator[tuple[NodeStatus, aiohttp.ClientResponse]]:
    """A node and its answer, which has begun well. Another node is tried where one cannot be connected to.

    Raises ``ApiError``: the node's own error as it is, 502 when none could be reached, 503 when there is none.
    """
    for _ in range(_ATTEMPTS):
        node = await state.nodes.pick(trajectory_id, state.settings.wait_for_node_seconds)
        try:
            response = await state.session.post(f"{node.url}/v1/chat/completions", json=request.upstream(node.model))
        except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError, ConnectionResetError):
            state.nodes.failed(node)
            continue
        except aiohttp.ClientError as error:
            raise ApiError(502, f"node {node.node} could not be asked: {error}") from error
        async with response:
            if response.status != 200:
                body = await response.content.read(_MAX_ERROR_BYTES)
                raise NodeAnsweredError(response.status, body, response.content_type)
            yield node, response
        return
    raise ApiError(502, f"no rollout node could be reached in {_ATTEMPTS} attempts", retry_after=2)


async def payloads(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """Each chunk of a stream up to its end marker. Raises ``BrokenAnswerError`` when it ends without one."""
    parser = EventParser()
    try:
        async for received in response.content.iter_any():
            for data in parser.feed(received):
                if data == DONE:
                    return
                chunk = msgspec.json.decode(data)
                if not isinstance(chunk, dict):
                    raise BrokenAnswerError(f"a chunk is a {type(chunk).__name__}, not an object")
                yield chunk
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise BrokenAnswerError(repr(error)) from error
    raise BrokenAnswerError("the stream ended without its end marker")
