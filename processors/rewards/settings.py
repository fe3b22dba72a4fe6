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
    tolerance: float = Field(default=1e-6, ge=0, description="of numeric: how far numbers may be apart")


class RegexSettings(_Processor):
    """A pattern, for all or of each trajectory's metadata."""

    kind: Literal["regex"]
    pattern: str = Field(default="", description="what must be found; empty: the metadata's")
    expected: str = Field(default="pattern", description="metadata key of the pattern")


class JsonSchemaSettings(_Processor):
    """A JSON schema, for all or of each trajectory's metadata."""

    kind: Literal["json_schema"]
    schema_: dict[str, Any] | None = Field(
        default=None, alias="schema", description="the JSON schema; none: the metadata's"
    )
    expected: str = Field(default="schema", description="metadata key of the schema")


class LengthSettings(_Processor):
    """DAPO's overlong penalty."""

    kind: Literal["length"]
    max_tokens: int = Field(gt=0, description="sampled tokens of a trajectory at which the penalty is 1")
    buffer_tokens: int = Field(gt=0, description="tokens before that over which it grows")


class RemoteSettings(_Processor):
    """What each that calls a server has."""

    url: str = Field(description="the server; of judges with /v1")
    key: str = Field(default="", description="API key", repr=False)
    model: str = Field(default="", description="name of the model there")
    max_in_flight: int = Field(default=8, ge=1, description="calls under way at once")
    timeout_seconds: float = Field(default=60.0, gt=0, description="longest wait for one answer")
    tries: int = Field(default=3, ge=1, description="how often a call that failed is made in all")


class ServiceSettings(RemoteSettings):
    """A reward model, or any service."""

    kind: Literal["service"]
    over: Over = Field(default="trajectory", description="what is sent and gets the reward")
    style: Style = Field(default="json", description="ours, or vLLM's route of that name")
    label: int = Field(default=-1, description="of classify: whose probability counts")


class JudgingSettings(RemoteSettings):
    votes: int = Field(default=3, ge=1, description="answers that are asked for")
    quorum: int = Field(default=1, ge=1, description="readable votes without which there is no value")
    prompt: str = Field(default="", description="file with the prompt, instead of the built-in one")
    sampling: dict[str, Any] = Field(
        default={"temperature": 0.6, "top_p": 1.0, "max_tokens": 4096}, description="how votes are sampled"
    )
    max_chars: int = Field(default=20_000, ge=100, description="of each text in the prompt")


class NextStateJudgeSettings(JudgingSettings):
    """OpenClaw-RL's judge: +1, -1 or 0 by what followed."""

    kind: Literal["next_state_judge"]


class JudgeSettings(JudgingSettings):
    """A judge that gives grades, of which the mean counts."""

    kind: Literal["judge"]
    over: Over = Field(default="trajectory", description="what is judged")
    expected: str = Field(default="answer", description="metadata key that the prompt shows as what is expected")


class HintsSettings(JudgingSettings):
    """Hindsight hints, and a teacher under them."""

    kind: Literal["hints"]
    min_chars: int = Field(default=10, ge=0, description="a hint has more characters than that")
    min_votes: int = Field(default=1, ge=1, description="hints without which there is none")
    select: Select = Field(default="longest", description="which of the accepted hints counts")
    value: float | None = Field(default=None, description="reward of a step with a hint; none: a hint is no score")
    teacher_url: str = Field(default="", description="vLLM server, without /v1; empty: no log-probabilities")
    teacher_model: str = Field(default="", description="name of the teacher's model there")


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
