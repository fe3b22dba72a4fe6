"""Calls to nodes, and to a provider. This file alone talks to vLLM: to chat completions and completions, and to its
tokenizer.

Invariant: another node is tried only as long as no event of an answer has come, so a client never sees two answers
mixed; and a call that reached nodes that failed over it goes to three of them at most, so that a call which breaks
engines does not break them all::

    no connection could be made          another node, as often as it takes: nothing was sent
    hung up before its first event       another node, or the same one again
    429, 500, 502, 503, 504 before it    another node; where there is none, the client gets status and body
    4xx                                  the client gets status and body: another node would say the same
    silence before its first event       504: the client has waited long enough
"""

import asyncio
from collections import Counter
from typing import Any

import msgspec

from clawstream.gateway.chat.request import ChatRequest, encoded, node_body
from clawstream.gateway.errors import UPSTREAM, ApiError, NodeError, invalid, unavailable
from clawstream.gateway.metrics import NODE_RETRIES
from clawstream.gateway.settings import GatewaySettings
from clawstream.gateway.tokens.prefix import Known
from clawstream.gateway.upstreams.connections import Connections, UnreachedError
from clawstream.gateway.upstreams.follow import Nodes
from clawstream.gateway.upstreams.http_answer import BrokenOffError, SilenceError
from clawstream.gateway.upstreams.node_stream import NodeStream
from clawstream.gateway.upstreams.provider import Provider, provider_body
from clawstream.gateway.upstreams.refusal import refusal
from clawstream.gateway.upstreams.routing import ranked, serving
from clawstream.schemas import NodeStatus, new_id
from clawstream.schemas.continuing import Continues

_TOKENIZE = "/tokenize"
_JSON = {"Content-Type": "application/json"}
_LOOK_AGAIN_SECONDS = 0.1
_ANOTHER_MAY = frozenset({429, 500, 502, 503, 504})  # statuses that say something of the node, not of the call
_MAX_FAILURES = 3
_MAX_COUNT_BYTES = 64 * 1024 * 1024  # of a tokenizer's answer, which lists the tokens


class _Counted(msgspec.Struct):
    count: int


class _FailedError(Exception):
    """The call was sent, and no event of an answer came."""

    def __init__(self, error: ApiError, *, hung_up: bool = False) -> None:
        super().__init__(error.message)
        self.error, self.hung_up = error, hung_up


class NodeClient:
    """Opens answers on live nodes, or at the provider."""

    def __init__(
        self,
        settings: GatewaySettings,
        nodes: Nodes,
        connections: Connections,
        provider: Provider | None = None,
    ) -> None:
        self._settings, self._nodes, self._connections, self._provider = settings, nodes, connections, provider
        self._under_way: Counter[str] = Counter()  # calls of this process, by node

    async def open(self, trajectory_id: str, asked: ChatRequest, known: Known | None = None) -> NodeStream:
        """The answer of who takes the call first, with its first event there. ``known``: go on from it.

        Raises ``ApiError``: 503 when no node took it in time, or what a node answered other than 200.
        """
        if (provider := self._provider) is not None and asked.model is not None and provider.serves(asked.model):
            return await self._open_at(provider, asked, asked.model)
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._settings.node_wait_seconds
        failures, refused = 0, set[str]()
        while True:
            for node in self._choices(asked.model, trajectory_id):
                if node.node in refused:
                    continue
                try:
                    return await self._open_on(node, asked, known)
                except UnreachedError:
                    self._nodes.unreachable(node)
                except _FailedError as failed:
                    self._nodes.ailing(node)
                    failures += 1
                    refused |= set() if failed.hung_up else {node.node}
                    names = {status.node for status in self._choices(asked.model, trajectory_id)}
                    if failures == _MAX_FAILURES or (names and names <= refused):
                        raise failed.error from failed
                NODE_RETRIES.labels(node.node).inc()
            if clock() >= deadline:
                raise self._nobody()
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    def _choices(self, model: str | None, trajectory_id: str) -> list[NodeStatus]:
        """In the order of trying. A node that swaps weights comes late: calls wait there, and no prefix is kept."""
        nodes = serving(self._nodes.live(), model)
        if len(nodes) == 1:
            return nodes
        order = ranked(nodes, trajectory_id, self._under_way)
        return sorted(order, key=lambda status: (self._nodes.is_ailing(status), status.health == "swapping"))

    async def _open_on(self, node: NodeStatus, asked: ChatRequest, known: Known | None) -> NodeStream:
        """Raises ``UnreachedError``, ``_FailedError`` where another node may do better, else ``ApiError``."""
        body = node_body(asked, node.model, _continues(known, node), node.max_model_len)
        try:
            return await self._begun(node, node.url.rstrip("/") + asked.path, body, _JSON)
        except ApiError as error:
            if error.status in _ANOTHER_MAY and error.code != "node_silent":
                raise _FailedError(error) from error
            raise
        except BrokenOffError as error:
            hung_up = ApiError(
                502, f"node {node.node} hung up before its answer began", kind=UPSTREAM, code="node_failed"
            )
            raise _FailedError(hung_up, hung_up=True) from error

    async def _open_at(self, provider: Provider, asked: ChatRequest, model: str) -> NodeStream:
        """The provider's answer; there is no other to try. Raises ``ApiError``."""
        url = provider.url + asked.path.removeprefix("/v1")
        try:
            return await self._begun(provider.status(model), url, provider_body(asked), provider.headers)
        except (UnreachedError, BrokenOffError) as error:
            said = f"{provider.name} cannot be reached, or hung up before its answer began"
            raise ApiError(502, said, kind=UPSTREAM, code="upstream_failed") from error

    async def _begun(self, node: NodeStatus, url: str, body: bytes, headers: dict[str, str]) -> NodeStream:
        """The answer, once its first event is there. Raises ``ApiError``, or what its connection raises."""
        self._under_way[node.node] += 1
        stream: NodeStream | None = None
        began = False
        try:
            answer = await self._connections.post(url, body, headers)
            stream = NodeStream(node, answer, lambda: self._ended(node))
            if answer.status != 200:
                raise await refusal(answer)
            await stream.begin()
            began = True
            return stream
        except SilenceError as error:
            silence = f"node {node.node} said nothing for {self._settings.silence_seconds:g} s"
            raise ApiError(504, silence, kind=UPSTREAM, code="node_silent") from error
        except NodeError as failure:
            raise failure.as_api_error() from failure
        finally:
            if stream is None:
                self._ended(node)
            elif not began:
                stream.close()

    def _ended(self, node: NodeStatus) -> None:
        self._under_way[node.node] -= 1
        if not self._under_way[node.node]:
            del self._under_way[node.node]

    async def count_tokens(self, model: str | None, body: dict[str, Any]) -> int:
        """How many tokens the prompt of ``body`` has. Raises ``ApiError`` as ``open`` does."""
        if self._provider is not None and self._provider.serves(model):
            raise invalid(f"{self._provider.name}, which serves {model!a:.200}, counts no tokens", "model")
        for node in self._choices(model, new_id()):
            sent = encoded(body | {"model": node.model})
            try:
                async with self._connections.asked(node.url.rstrip("/") + _TOKENIZE, sent, _JSON) as answer:
                    if answer.status != 200:
                        raise await refusal(answer)
                    return msgspec.json.decode(await answer.read(_MAX_COUNT_BYTES), type=_Counted).count
            except (UnreachedError, BrokenOffError, SilenceError):
                self._nodes.unreachable(node)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise NodeError(f"node {node.node} gave no count: {error}").as_api_error() from error
        raise self._nobody()

    def _nobody(self) -> ApiError:
        waited, live, starting = self._settings.node_wait_seconds, self._nodes.live(), self._nodes.starting()
        counts = f"{len(live)} are live, {len(starting)} are starting"
        return unavailable(f"no rollout node took the call within {waited:g} s; {counts}", "no_node")


def _continues(known: Known | None, node: NodeStatus) -> Continues | None:
    """Another model's tokens are not gone on from."""
    if known is None or known.model != node.model:
        return None
    return Continues(tokens=known.tokens, answer_index=known.message_count)
