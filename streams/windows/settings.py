"""What of the trainer's settings says which samples make a window.

Invariant: the trainer's own section has these very fields, so whoever reads the same file knows the same window.
"""

from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from clawstream.streams.settings import Section
from clawstream.streams.windows.window import WindowLimits

_DROP_FLAT_GROUPS = frozenset({"dapo"})  # groups without variance take no place in a window


class WindowSettings(Section):
    """When a window closes, and how old a sample in it may be."""

    section: ClassVar[str] = "trainer"

    model_name: str = Field("policy", description="name that the model is served under; a tenant's is policy-TENANT")
    group: str = Field("trainer", description="consumer group on samples; a tenant's is trainer-TENANT")
    tenant: str = Field("", description="whose samples train; empty: everybody's")
    adapter_of: str = Field(
        "", description="model beside which nodes serve the adapters as they are; empty: they are published merged"
    )
    tenants_left_out: str = Field(
        "", description="tenants whose samples do not train, with commas: those with adapters of their own"
    )
    algorithm: str = Field("grpo", description="name of the algorithm")
    window_samples: int = Field(128, ge=1, description="samples that close a window")
    window_groups: int = Field(0, ge=0, description="whole groups that close a window; 0: not counted")
    window_tokens: int = Field(4_000_000, ge=1, description="tokens, prompts included, that close a window")
    window_seconds: float = Field(30.0, gt=0, description="seconds after its first sample that close a window")
    max_policy_lag: int = Field(4, ge=0, description="versions behind beyond which tokens do not train")
    seen_samples: int = Field(100_000, ge=1, description="newest sample ids remembered, so that repeats are dropped")

    @model_validator(mode="before")
    @classmethod
    def _named_after_the_tenant(cls, given: Any) -> Any:
        """A tenant's trainer has a model and a consumer group of its own: sharing either would mix what it must not."""
        if not isinstance(given, dict) or not (tenant := given.get("tenant")):
            return given
        return {"model_name": f"policy-{tenant}", "group": f"trainer-{tenant}"} | given

    @model_validator(mode="after")
    def _leaves_others_out(self) -> Self:
        if self.tenant and self.left_out:
            raise ValueError(
                f"tenant is {self.tenant}, so nobody else's samples train; tenants_left_out is for a trainer of all"
            )
        return self

    @property
    def left_out(self) -> frozenset[str]:
        """Tenants whose samples do not train."""
        return frozenset(name.strip() for name in self.tenants_left_out.split(",") if name.strip())

    @property
    def limits(self) -> WindowLimits:
        """The limits of a window."""
        return WindowLimits(
            model=self.model_name,
            base=self.adapter_of,
            tenant=self.tenant,
            left_out=self.left_out,
            samples=self.window_samples,
            groups=self.window_groups,
            tokens=self.window_tokens,
            seconds=self.window_seconds,
            policy_lag=self.max_policy_lag,
            drop_flat_groups=self.algorithm in _DROP_FLAT_GROUPS,
        )
