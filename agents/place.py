"""Where the calls of a trajectory go, and what it is opened as."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack
from urllib.parse import quote

DEFAULT_BASE_URL = "http://127.0.0.1:8100"
DEFAULT_CHANNEL = "train"


def new_name() -> str:
    """A name that nobody else has."""
    return uuid.uuid4().hex


@dataclass(frozen=True, kw_only=True)
class Place:
    """A trajectory as its agent names it.

    Attributes:
        group_id: what rollouts of one task share.
        group_size: rollouts that the group waits for; None: as the processors are configured.
        channel: ``train``, or another one, which is recorded and does not train.
        metadata: kept with the trajectory, for reward processors and datasets.
        sampling: parameters of every call that does not name its own, such as ``temperature``.
        model: that every call names; None: whichever is served.
        agent: the agent's name.
    """

    trajectory_id: str = field(default_factory=new_name)
    group_id: str = field(default_factory=new_name)
    group_size: int | None = None
    channel: str = DEFAULT_CHANNEL
    metadata: Mapping[str, Any] = field(default_factory=dict)
    sampling: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    agent: str = ""

    @property
    def path(self) -> str:
        """What follows the gateway's URL in the trajectory's base URL."""
        return f"/{quote(self.trajectory_id, safe='')}/{quote(self.group_id, safe='')}/v1"

    @property
    def headers(self) -> dict[str, str]:
        """Said with every call, so that a gateway which has just been started knows it too."""
        named = {"X-ClawStream-Agent": self.agent} if self.agent else {}
        return {"X-ClawStream-Channel": self.channel} | named


class Options(TypedDict, total=False):
    """The fields of ``Place`` other than its names."""

    group_size: int | None
    channel: str
    metadata: Mapping[str, Any]
    sampling: Mapping[str, Any]
    model: str | None
    agent: str


def place_of(trajectory: str | None, group: str | None, **options: Unpack[Options]) -> Place:
    """A place; names that are not given are new."""
    return Place(trajectory_id=trajectory or new_name(), group_id=group or new_name(), **options)
