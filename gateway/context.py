"""What every handler reaches: the parts of one running gateway."""

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from msgspec.structs import replace

from clawstream.gateway.callers.bodies import Bodies
from clawstream.gateway.callers.identity import scope_of
from clawstream.gateway.callers.quotas import Quotas
from clawstream.gateway.callers.tenants import Tenants
from clawstream.gateway.calls.retries import Retries
from clawstream.gateway.calls.sealing import Sealer
from clawstream.gateway.chat.request import ChatRequest
from clawstream.gateway.errors import too_many
from clawstream.gateway.log.blobs import Blobs
from clawstream.gateway.log.ledger import Ledger
from clawstream.gateway.metrics import (
    BODY_BYTES,
    IN_FLIGHT,
    NODES_LIVE,
    PREFIX_TOKENS,
    RETRY_BYTES,
    UNACKNOWLEDGED,
)
from clawstream.gateway.settings import GatewaySettings
from clawstream.gateway.tokens.prefix import PrefixStore
from clawstream.gateway.trajectories.continuing import Continuations
from clawstream.gateway.trajectories.handover import Handover, Others
from clawstream.gateway.trajectories.memory import Trajectories
from clawstream.gateway.trajectories.openings import Openings
from clawstream.gateway.trajectories.pacing import Pace
from clawstream.gateway.trajectories.seen import Seen
from clawstream.gateway.upstreams.connections import Connections
from clawstream.gateway.upstreams.follow import Nodes, Versions
from clawstream.gateway.upstreams.node import NodeClient
from clawstream.gateway.upstreams.policies import model_for
from clawstream.gateway.upstreams.provider import Provider, provider_of
from clawstream.gateway.upstreams.reward_service import RewardService
from clawstream.schemas import new_id
from clawstream.streams.files.blobs import BlobStore
from clawstream.streams.reading.tail import Tail
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Gateway:
    """One gateway's parts and the work it has under way."""

    settings: GatewaySettings
    kafka: KafkaSettings
    nodes: Nodes
    versions: Versions
    prefixes: PrefixStore
    handover: Handover | None  # None: switched off, as are the openings
    openings: Openings | None
    continuations: Continuations
    trajectories: Trajectories
    seen: Seen
    tenants: Tenants
    quotas: Quotas
    bodies: Bodies
    ledger: Ledger
    sealer: Sealer
    retries: Retries
    node_client: NodeClient
    provider: Provider | None
    reward_service: RewardService | None
    in_flight: int = 0
    following: list[asyncio.Future[None]] = field(default_factory=list)  # the threads that follow topics
    _later: set[asyncio.Task[Any]] = field(default_factory=set)

    @contextmanager
    def place(self, tenant: str) -> Iterator[None]:
        """Hold one of the places for calls, and of the tenant's. Raises ``ApiError`` 429 when there is none."""
        if self.in_flight >= self.settings.max_in_flight:
            raise too_many(f"{self.in_flight} calls are under way, as many as this gateway takes", "busy")
        self.quotas.enter(tenant)
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            self.quotas.leave(tenant)

    def addressed(self, tenant: str, asked: ChatRequest) -> ChatRequest:
        """``asked`` of the model that answers ``tenant``; a provider's is left as it is."""
        if self.provider is not None and self.provider.serves(asked.model):
            return asked
        policy, several = self.tenants.entry(tenant).policy, self.tenants.are_several
        model = model_for(policy, asked.model, self.nodes.live, several=several)
        return asked if model == asked.model else replace(asked, model=model)

    def is_open(self, scope: str) -> bool:
        """Has another process, or this one before its start, opened the trajectory or recorded steps of it?"""
        if self.handover is None or self.openings is None:
            return False
        return self.handover.holds(scope) or self.openings.channel(scope) is not None

    def admit(
        self,
        tenant: str,
        trajectory_id: str,
        group_id: str,
        channel: str | None = None,
        *,
        trains: bool = True,
        model: str | None = None,
    ) -> str:
        """Note that ``tenant`` uses the trajectory, in ``channel`` where it names one; the channel as far as it is
        known. ``model``: that is to answer; None: the tenant's own. Raises ``ApiError`` 429 as ``Trajectories.admit``
        does."""
        scope = scope_of(tenant, trajectory_id)
        adapter, is_open = self.versions.apart(model or self.tenants.entry(tenant).policy), self.is_open(scope)
        self.trajectories.admit(scope, channel, time.monotonic(), trains=trains, is_open=is_open, adapter=adapter)
        self.seen.note(tenant, trajectory_id, group_id)
        return channel or self.trajectories.channel(scope)

    def later(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do ``work`` although nobody waits for it any more."""
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._later.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("work that nobody waited for failed: %s", error)

    def measure(self) -> None:
        """Set the metrics that say how things stand; counted as they change, they would be a part of every call."""
        IN_FLIGHT.set(self.in_flight)
        BODY_BYTES.set(self.bodies.held_bytes)
        UNACKNOWLEDGED.set(self.ledger.unacknowledged_count)
        PREFIX_TOKENS.set(self.prefixes.token_count)
        RETRY_BYTES.set(self.retries.byte_count)
        NODES_LIVE.set(len(self.nodes.live()))

    async def settle(self) -> None:
        """Wait for the work that nobody waits for."""
        while self._later:
            await asyncio.gather(*self._later, return_exceptions=True)


@dataclass(frozen=True, kw_only=True)
class Tails:
    """What all gateways write."""

    steps: Tail
    feedback: Tail


GATEWAY = web.AppKey("gateway", Gateway)
TENANT_KEY = web.RequestKey("tenant", str)  # of a request that is let in


def assemble(
    settings: GatewaySettings,
    kafka: KafkaSettings,
    producer: Producer,
    connections: Connections,
    tails: Tails | None,
) -> Gateway:
    """A gateway's parts. ``connections``: to nodes; ``tails``: what is written to the log, where it is followed."""
    nodes, versions, provider = Nodes(settings.node_seconds), Versions(), provider_of(settings)
    pace = Pace(
        trajectories_per_version=settings.trajectories_per_version,
        max_policy_lag=settings.max_policy_lag,
        pace_seconds=settings.pace_seconds,
    )
    prefixes = PrefixStore(settings.prefix_tokens, settings.prefix_steps)
    seen = Seen(settings.max_trajectories)
    writer, tenants = new_id(), Tenants(settings)
    blobs = Blobs(BlobStore(kafka.blob_url), settings.blob_bytes, settings.seal_seconds) if kafka.blob_url else None
    ledger = Ledger(producer, settings.seal_seconds, writer)
    handover, openings = None, None
    if tails is not None:
        others = Others(settings.handover_mib * 1024 * 1024, writer)
        handover = Handover(tails.steps, others, prefixes, settings.handover_seconds, seen)
        openings = Openings(tails.feedback, settings.handover_seconds, seen, writer, settings.max_trajectories)
    return Gateway(
        settings=settings,
        kafka=kafka,
        nodes=nodes,
        versions=versions,
        prefixes=prefixes,
        handover=handover,
        openings=openings,
        continuations=Continuations(prefixes, handover, provider),
        trajectories=Trajectories(
            pace,
            settings.max_trajectories,
            versions.of,
            openings.channel if openings is not None else lambda _: None,
        ),
        seen=seen,
        tenants=tenants,
        quotas=Quotas(tenants.entry, settings.workers),
        bodies=Bodies(settings.bodies_mib * 1024 * 1024, settings.max_body_bytes, settings.body_seconds),
        ledger=ledger,
        sealer=Sealer(ledger, prefixes, blobs, serves_unrecorded=settings.outage == "serve"),
        retries=Retries(settings.retry_mib * 1024 * 1024, settings.retry_seconds, settings.retry_grace_seconds),
        node_client=NodeClient(settings, nodes, connections, provider),
        provider=provider,
        reward_service=RewardService.of(settings, connections),
    )
