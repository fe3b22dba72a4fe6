"""Settings of ``clawstream agents run``."""

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr

from clawstream.agents.place import DEFAULT_BASE_URL, DEFAULT_CHANNEL
from clawstream.streams.settings import Section


class AgentsSettings(Section):
    """Which tasks agents work on, how many at a time, and how they sample."""

    section = "agents"
    tasks: Path = Field(description="file of tasks, one JSON object per line")
    base_url: str = Field(default=DEFAULT_BASE_URL, description="the gateway, with or without /v1")
    api_key: SecretStr | None = Field(default=None, description="the gateway's api_key, where it has one")
    rollouts: int = Field(default=1, ge=1, description="trajectories of each task; they are one group")
    concurrency: int = Field(default=16, ge=1, description="trajectories at the same time")
    channel: str = Field(default=DEFAULT_CHANNEL, description="channel of the trajectories; only train trains")
    model: str | None = Field(default=None, description="model that calls name; none: whichever is served")
    temperature: float | None = Field(default=None, ge=0, description="sampling temperature; none: the gateway's, 1")
    top_p: float | None = Field(default=None, gt=0, le=1, description="share of probability that is sampled from")
    top_k: int | None = Field(default=None, ge=-1, description="number of tokens that are sampled from")
    max_tokens: int | None = Field(default=None, ge=1, description="most tokens of one answer")
    rollout_seconds: float = Field(default=3600.0, gt=0, description="time that run() has before it counts as failed")
    call_seconds: float = Field(default=600.0, gt=0, description="longest silence of the gateway within a call")
    outage_seconds: float = Field(default=60.0, ge=0, description="time that a gateway which is away is waited for")

    @property
    def sampling(self) -> dict[str, Any]:
        """The sampling parameters that are set."""
        return self.model_dump(include={"temperature", "top_p", "top_k", "max_tokens"}, exclude_none=True)
