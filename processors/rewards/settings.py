"""Reward processors as configuration has them: ``[[processors.rewards]]``, each with its ``kind``.

Invariant: what is wrong in one is found when settings are read, before anything runs.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from clawstream.processors.rewards.scorer import Over

Style = Literal["json", "pooling", "classify", "score"]
Select = Literal["longest", "shortest", "first"]


class _Processor(BaseModel):
    """What each has."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(default="", description="source of its rewards; the kind, unless given")

    @property
    def source(self) -> str:
        """The source of its rewards."""
        return self.name or str(getattr(self, "kind", ""))


class RuleSettings(_Processor):
    """An answer against the trajectory's metadata."""

    kind: Literal["exact_match", "numeric", "maths"]
    expected: str = Field(default="answer", description="metadata key, dots going inwards")
    extract: str = Field(default="", description="pattern whose first group of the answer counts")
    tolerance: float = Field(default=1e-6, ge=0)


class RegexSettings(_Processor):
    """A pattern, for all or of each trajectory's metadata."""

    kind: Literal["regex"]
    pattern: str = ""
    expected: str = "pattern"


class JsonSchemaSettings(_Processor):
    """A JSON schema, for all or of each trajectory's metadata."""

    kind: Literal["json_schema"]
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    expected: str = "schema"


class LengthSettings(_Processor):
    """DAPO's overlong penalty."""

    kind: Literal["length"]
    max_tokens: int = Field(gt=0)
    buffer_tokens: int = Field(gt=0)


class RemoteSettings(_Processor):
    """What each that calls a server has."""

    url: str = Field(description="the server; of judges with /v1")
    key: str = Field(default="", description="API key", repr=False)
    model: str = ""
    max_in_flight: int = Field(default=8, ge=1, description="calls under way at once")
    timeout_seconds: float = Field(default=60.0, gt=0)
    tries: int = Field(default=3, ge=1)


class ServiceSettings(RemoteSettings):
    """A reward model, or any service."""

    kind: Literal["service"]
    over: Over = "trajectory"
    style: Style = "json"
    label: int = Field(default=-1, description="of classify: whose probability counts")


class JudgingSettings(RemoteSettings):
    votes: int = Field(default=3, ge=1, description="answers that are asked for")
    quorum: int = Field(default=1, ge=1, description="readable votes without which there is no value")
    prompt: str = Field(default="", description="file with the prompt, instead of the built-in one")
    sampling: dict[str, Any] = Field(default={"temperature": 0.6, "top_p": 1.0, "max_tokens": 4096})
    max_chars: int = Field(default=20_000, ge=100, description="of each text in the prompt")


class NextStateJudgeSettings(JudgingSettings):
    """OpenClaw-RL's judge: +1, -1 or 0 by what followed."""

    kind: Literal["next_state_judge"]


class JudgeSettings(JudgingSettings):
    """A judge that gives grades, of which the mean counts."""

    kind: Literal["judge"]
    over: Over = "trajectory"
    expected: str = Field(default="answer", description="metadata key that the prompt shows as what is expected")


class HintsSettings(JudgingSettings):
    """Hindsight hints, and a teacher under them."""

    kind: Literal["hints"]
    min_chars: int = Field(default=10, ge=0, description="a hint has more characters than that")
    min_votes: int = Field(default=1, ge=1, description="hints without which there is none")
    select: Select = "longest"
    value: float | None = Field(default=None, description="reward of a step with a hint; none: a hint is no score")
    teacher_url: str = Field(default="", description="vLLM server, without /v1; empty: no log-probabilities")
    teacher_model: str = ""


ProcessorSettings = Annotated[
    RuleSettings
    | RegexSettings
    | JsonSchemaSettings
    | LengthSettings
    | ServiceSettings
    | NextStateJudgeSettings
    | JudgeSettings
    | HintsSettings,
    Field(discriminator="kind"),
]
