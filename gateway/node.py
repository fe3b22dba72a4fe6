"""Calls to nodes. This file alone talks to vLLM: to chat completions and completions, and to its tokenizer.

Invariant: another node is tried only as long as no event of an answer has come, so a client never sees two answers
mixed; and whoever opened a stream closes it, which makes vLLM stop sampling.
"""

import asyncio
import io
from collections import deque
from typing import Any, NamedTuple

import aiohttp
import msgspec

from clawstream.gateway.chat_request import ChatRequest, encoded, node_body
from clawstream.gateway.chunks import Chunk, read_chunk
from clawstream.gateway.errors import UPSTREAM, ApiError, NodeError, unavailable
from clawstream.gateway.follow import Nodes
from clawstream.gateway.metrics import NODE_RETRIES
from clawstream.gateway.prefix import Known
from clawstream.gateway.routing import ranked, serving
from clawstream.gateway.settings import GatewaySettings
from clawstream.gateway.sse import SseDecoder
from clawstream.schemas import NodeStatus, new_id
from clawstream.schemas.continuing import Continues

_DONE = b"[DONE]"
_TOKENIZE = "/tokenize"
_JSON = {"Content-Type": "application/json"}
_LOOK_AGAIN_SECONDS = 0.1
_MAX_ERROR_BYTES = 1024 * 1024
_KEEPALIVE_SECONDS = 3.0  # below vLLM's 5 s, so that we never reuse a connection that it is closing


class _Counted(msgspec.Struct):
    count: int


class Event(NamedTuple):
    """One event of an answer: as it came, and decoded."""

    data: bytes
    chunk: Chunk


class NodeStream:
    """One answer under way. Iterating gives its events up to ``[DONE]``; :meth:`begin` comes first."""

    def __init__(self, node: NodeStatus, response: aiohttp.ClientResponse) -> None:
        self.node = node
        self._response, self._decoder = response, SseDecoder()
        self._received: deque[bytes] = deque()
        self._first: Event | None = None

    async def begin(self) -> None:
        """Wait for the first event. Raises ``aiohttp.ClientConnectionError`` when the connection breaks before it,
        ``NodeError`` when the node reports an error instead."""
        self._first = await self._next()

    def __aiter__(self) -> "NodeStream":
        return self

    async def __anext__(self) -> Event:
        """The next event. Raises ``NodeError`` when the answer breaks off."""
        event, self._first = self._first, None
        try:
            event = event or await self._next()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NodeError(f"node {self.node.node} broke off its answer: {_what(error)}") from error
        if event is None:
            raise StopAsyncIteration
        return event

    async def _next(self) -> Event | None:
        while not self._received:
            data = await self._response.content.readany()
            if not data:
                raise aiohttp.ServerDisconnectedError("the stream ended without [DONE]")
            try:
                self._received.extend(self._decoder.feed(data))
            except ValueError as error:
                raise NodeError(f"node {self.node.node}: {error}") from error
        data = self._received.popleft()
        return None if data == _DONE else Event(data, read_chunk(data))

    def close(self) -> None:
        """Close the connection; one whose answer was read to its end is back in the pool by then."""
        self._response.close()


def node_session(settings: GatewaySettings) -> aiohttp.ClientSession:
    """Connections to nodes, as many as there are calls. Close it at the end."""
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=settings.connect_seconds, sock_read=settings.silence_seconds
    )
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_SECONDS)
    return aiohttp.ClientSession(timeout=timeout, connector=connector, read_bufsize=1 << 18)


class NodeClient:
    """Opens answers on live nodes."""

    def __init__(self, settings: GatewaySettings, nodes: Nodes, session: aiohttp.ClientSession) -> None:
        self._settings, self._nodes, self._session = settings, nodes, session

    async def open(self, trajectory_id: str, asked: ChatRequest, known: Known | None = None) -> NodeStream:
        """The answer of the best live node that takes the call, with its first event there. ``known``: go on from it.

        Raises ``ApiError``: 503 when no node took it in time, or what a node answered other than 200.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._settings.node_wait_seconds
        while True:
            for node in ranked(serving(self._nodes.live(), asked.model), trajectory_id):
                body = node_body(asked, node.model, _continues(known, node))
                stream = await self._try(node, asked.path, body)
                if stream is not None:
                    return stream
                NODE_RETRIES.labels(node.node).inc()
            if clock() >= deadline:
                raise self._nobody()
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def _try(self, node: NodeStatus, path: str, body: bytes) -> NodeStream | None:
        """``None`` when the node cannot be reached or hangs up before its first event."""
        url = node.url.rstrip("/") + path
        stream: NodeStream | None = None
        try:
            response = await self._session.post(url, data=io.BytesIO(body), headers=_JSON, allow_redirects=False)
            stream = NodeStream(node, response)
            if response.status != 200:
                raise await _refusal(response)
            await stream.begin()
            began, stream = stream, None
            return began
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL):
            self._nodes.unreachable(node)
            return None
        except aiohttp.SocketTimeoutError as error:
            silence = f"node {node.node} said nothing for {self._settings.silence_seconds:g} s"
            raise ApiError(504, silence, kind=UPSTREAM, code="node_silent") from error
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
            return None
        except NodeError as failure:
            raise failure.as_api_error() from failure
        finally:
            if stream is not None:
                stream.close()

    async def count_tokens(self, model: str | None, body: dict[str, Any]) -> int:
        """How many tokens the prompt of ``body`` has. Raises ``ApiError`` as ``open`` does."""
        for node in ranked(serving(self._nodes.live(), model), new_id()):
            sent = io.BytesIO(encoded(body | {"model": node.model}))
            try:
                async with self._session.post(node.url.rstrip("/") + _TOKENIZE, data=sent, headers=_JSON) as response:
                    if response.status != 200:
                        raise await _refusal(response)
                    return msgspec.json.decode(await response.read(), type=_Counted).count
            except (aiohttp.ClientError, TimeoutError):
                self._nodes.unreachable(node)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise NodeError(f"node {node.node} gave no count: {error}").as_api_error() from error
        raise self._nobody()

    def _nobody(self) -> ApiError:
        count = len(self._nodes.live())
        return unavailable(
            f"no rollout node took the call within {self._settings.node_wait_seconds:g} s; {count} are live", "no_node"
        )


def _continues(known: Known | None, node: NodeStatus) -> Continues | None:
    """Another model's tokens are not gone on from."""
    if known is None or known.model != node.model:
        return None
    return Continues(tokens=known.tokens, answer_index=known.message_count)


async def _refusal(response: aiohttp.ClientResponse) -> ApiError:
    """A node's own error: its status and its body, in OpenAI's shape."""
    data = await response.content.read(_MAX_ERROR_BYTES)
    if response.status == 400 and (message := _too_long(data)) is not None:
        return ApiError(400, message, param="messages", code="context_length_exceeded")
    after = response.headers.get("Retry-After", "")
    return ApiError(
        response.status,
        data.decode(errors="replace")[:2000] or f"the node answered {response.status}",
        kind=UPSTREAM,
        raw=data if _openai_error(data) is not None else None,
        retry_after_seconds=int(after) if after.isascii() and after.isdigit() else None,
    )


def _too_long(data: bytes) -> str | None:
    """The node's message where it says that prompt and answer do not fit."""
    message = (_openai_error(data) or {}).get("message")
    return message if isinstance(message, str) and "maximum context length" in message else None


def _openai_error(data: bytes) -> dict[str, Any] | None:
    try:
        body = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else None


def _what(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
