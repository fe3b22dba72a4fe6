"""Settings of the processors."""

from functools import cached_property
from typing import Any, Literal

import msgspec
from pydantic import Field, field_validator

from clawstream.processors.joins.combining import Rule
from clawstream.processors.rewards.settings import ProcessorSettings
from clawstream.streams.settings import Section

Ready = Literal["step", "trajectory", "group"]
Late = Literal["amend", "reject"]


class ProcessorsSettings(Section):
    """When trajectories and groups close."""

    section = "processors"
    ready: Ready = Field(
        default="group",
        description="what is ready together: a group, each trajectory, or each step as soon as it is judged",
    )
    group_size: int = Field(default=1, ge=1, description="rollouts of a group, unless its trajectories say otherwise")
    group_deadline_seconds: float = Field(default=600.0, gt=0, description="age at which an incomplete group closes")
    idle_seconds: float = Field(default=300.0, gt=0, description="silence after which a trajectory closes")
    max_age_seconds: float = Field(default=7200.0, gt=0, description="age at which a trajectory closes")
    reward_deadline_seconds: float = Field(
        default=60.0, ge=0, description="how long a trajectory that has ended waits for its rewards"
    )
    memory_seconds: float = Field(
        default=3600.0, gt=0, description="how long closed trajectories and groups are remembered, for late events"
    )
    late: Late = Field(
        default="amend", description="a reward or review after closing: amend while the group is open, or reject"
    )
    min_response_tokens: int = Field(default=0, ge=0, description="fewer sampled tokens do not train")
    max_response_tokens: int = Field(default=0, ge=0, description="more sampled tokens do not train; 0: any number")
    drop_equal_groups: bool = Field(
        default=False, description="whether groups whose rewards are all equal are left out"
    )
    drop_neutral: bool = Field(default=False, description="whether what has the reward 0 is left out")
    max_policy_lag: int = Field(
        default=-1, ge=-1, description="versions by which what trains may be behind the newest; -1: any number"
    )
    memory_trajectories: int = Field(
        default=20_000, ge=1, description="closed trajectories, and groups, that a worker remembers at most"
    )
    reward_rule: Rule = Field(
        default="sum", description="how a trajectory's rewards from several sources become one: sum, mean, min or max"
    )
    reward_weights: str = Field(
        default="", description="weights of sources, as judge=0.5, length=0.1; a source that is not named has 1"
    )
    required_rewards: str = Field(
        default="", description="comma-separated sources without whose reward a trajectory does not train; empty: any"
    )
    require_review: bool = Field(default=False, description="whether only trajectories that were reviewed train")
    gap_seconds: float = Field(
        default=10.0, ge=0, description="how long an ended trajectory waits for a step that others continue"
    )
    rewards: list[ProcessorSettings] = Field(
        default=[], description="reward processors, as [[processors.rewards]] tables; as a flag, a JSON array of them"
    )
    include: str = Field(
        default="", description="comma-separated files or modules with reward processors, such as my_rewards.py"
    )
    max_trajectory_bytes: int = Field(
        default=6 * 1024 * 1024, ge=1, description="largest trajectory that trains; below kafka.max_record_bytes"
    )
    tick_seconds: float = Field(default=0.1, gt=0, description="how often closing is looked at")
    batch_records: int = Field(default=500, ge=1, description="most records handled at once")
    metrics_port: int = Field(default=0, ge=0, le=65535, description="port of /metrics; 0: none")

    @field_validator("rewards", mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return msgspec.json.decode(value) if isinstance(value, str) else value

    @field_validator("reward_weights")
    @classmethod
    def _are_weights(cls, value: str) -> str:
        _weights(value)
        return value

    @cached_property
    def required_sources(self) -> tuple[str, ...]:
        """``required_rewards``, one by one."""
        return tuple(named(self.required_rewards))

    @cached_property
    def weights(self) -> dict[str, float]:
        """``reward_weights`` by source."""
        return _weights(self.reward_weights)


def named(text: str) -> list[str]:
    """The entries of a comma-separated list."""
    return [entry for entry in (part.strip() for part in text.split(",")) if entry]


def _weights(text: str) -> dict[str, float]:
    found = {}
    for entry in named(text):
        source, _, weight = entry.rpartition("=")
        try:
            found[source.strip()] = float(weight)
        except ValueError:
            raise ValueError(f"{entry!r} is no weight of a source, such as judge=0.5") from None
        if not source.strip():
            raise ValueError(f"{entry!r} names no source, as judge=0.5 does")
    return found
