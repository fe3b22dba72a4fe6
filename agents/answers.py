"""What comes back from the gateway, and what is submitted to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ChatAnswer:
    """The answer to ``chat``.

    Attributes:
        message: the assistant's message as OpenAI has it; append it to the messages as it is.
        finish_reason: ``stop``, ``tool_calls``, or ``length`` for an answer that was cut off and does not train.
        usage: counts of tokens, as OpenAI has them.
        step_id: the recorded step, which a reward can name.
        prompt_ids, token_ids: the exact tokens; None unless asked for with ``tokens=True``.
        logprobs: log-probability of each of ``token_ids`` in nats; None unless asked for.
    """

    message: dict[str, Any]
    finish_reason: str | None
    usage: dict[str, Any]
    step_id: str
    prompt_ids: list[int] | None = None
    token_ids: list[int] | None = None
    logprobs: list[float] | None = None

    @property
    def text(self) -> str:
        """The message's content; empty where there is none."""
        return self.message.get("content") or ""

    @property
    def tool_calls(self) -> list[dict[str, Any]]:
        """The message's tool calls; empty where there are none."""
        return self.message.get("tool_calls") or []


@dataclass(frozen=True, kw_only=True)
class Generation:
    """The answer to ``generate``.

    Attributes:
        token_ids: the sampled tokens, the end token included.
        logprobs: log-probability of each of them in nats.
        stop_reason: ``stop``, or ``length`` for an answer that was cut off and does not train.
        step_id: the recorded step, which a reward can name.
    """

    token_ids: list[int]
    logprobs: list[float]
    stop_reason: str | None
    step_id: str


@dataclass(frozen=True, kw_only=True)
class SampledStep:
    """A step that was sampled elsewhere, for ``submit_steps``. What is missing is recorded as missing, never guessed.

    Attributes:
        prompt_ids, response_ids: the exact tokens.
        logprobs: log-probability of each of ``response_ids`` in nats; without them the step does not train.
        policy_version: the version that sampled all of them; without it the step does not train.
        reward: of this step alone.
        temperature: that it was sampled at.
        finish_reason: ``stop``, ``tool_calls``, ``length`` or ``abort``; the last two do not train.
    """

    prompt_ids: Sequence[int]
    response_ids: Sequence[int]
    logprobs: Sequence[float] | None = None
    policy_version: int | None = None
    reward: float | None = None
    temperature: float = 1.0
    finish_reason: str = "stop"
