"""What the handlers share: the way to Kafka, the nodes, and what is remembered of trajectories.

Invariant: everything remembered is bounded and derived; after a restart it is empty, and nothing that is in a topic is
lost. A trajectory's channel is remembered here only so that its steps carry it: the processors take it from ``opened``.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass

import aiohttp

from clawstream.gateway.errors import ApiError
from clawstream.gateway.nodes import Nodes
from clawstream.gateway.pacing import Pacer
from clawstream.gateway.prefix import PrefixCache
from clawstream.gateway.settings import GatewaySettings
from clawstream.streams.producer import Producer

DEFAULT_CHANNEL = "train"
_TRAJECTORIES_REMEMBERED = 100_000


@dataclass(kw_only=True)
class State:
    """Shared by all handlers of one process."""

    settings: GatewaySettings
    producer: Producer
    nodes: Nodes
    session: aiohttp.ClientSession
    prefixes: PrefixCache
    pacer: Pacer
    channels: OrderedDict[str, str]  # channel of each open trajectory
    in_flight: int = 0

    def open_trajectory(self, trajectory_id: str, channel: str | None) -> str:
        """Remember a trajectory and its channel; its channel.

        Raises ``ApiError`` (429) when it is new, would train, and too many were opened ahead of the trainer.
        """
        known = self.channels.get(trajectory_id)
        wanted = channel or known or DEFAULT_CHANNEL
        if known is None and wanted == DEFAULT_CHANNEL:
            wait = self.pacer.admit(self.nodes.newest_version, time.monotonic())
            if wait is not None:
                raise ApiError(429, "trajectories are opened faster than the trainer learns", retry_after=wait)
        self.channels[trajectory_id] = wanted
        self.channels.move_to_end(trajectory_id)
        if len(self.channels) > _TRAJECTORIES_REMEMBERED:
            self.channels.popitem(last=False)
        return wanted

    def close_trajectory(self, trajectory_id: str) -> None:
        """Forget a trajectory."""
        self.channels.pop(trajectory_id, None)
        self.prefixes.forget(trajectory_id)
