"""May a step train? Only when what it says was sampled agrees with itself, and the answer is complete.

Invariant: a step that fails is recorded with its reason and never repaired.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from clawstream.gateway.chat.answer import Answer
from clawstream.gateway.tokens.spans import cover
from clawstream.schemas import PolicySpan

FlawKind = Literal[
    "disconnect",
    "abort",
    "length",
    "provider",
    "tokens",
    "logprobs",
    "usage",
    "prompt",
    "version",
    "temperature",
    "side",
]
Ended = Literal["disconnect", "abort"]  # how a call ended that did not come to its end

COMPLETE = frozenset({"stop", "tool_calls"})
_TOKENS_HOLD = ("version", "temperature", "side")  # reasons that are found once everything about the tokens held


class Flaw(NamedTuple):
    """Why a step must not train."""

    kind: FlawKind
    detail: str  # a sentence with numbers

    @property
    def reason(self) -> str:
        """Both, as a step has it."""
        return f"{self.kind}: {self.detail}"


def finish_reason(answer: Answer, ended: Ended | None) -> str:
    """The finish reason to record."""
    return ended or answer.finish_reason or "abort"


def find_flaw(
    answer: Answer,
    spans: Sequence[PolicySpan] | None,
    temperature: float,
    turn_type: str,
    ended: Ended | None,
    provider: str | None = None,
) -> Flaw | None:
    """The first thing that is wrong; ``None`` when the step may train. ``provider``: who answered in a node's place."""
    return (
        _incomplete(finish_reason(answer, ended))
        or _not_ours(provider)
        or _miscounted(answer)
        or bad_logprobs(answer.logprobs)
        or _bad_prompt(answer)
        or _bad_spans(spans, len(answer.token_ids))
        or _greedy(temperature)
        or _side(turn_type)
    )


def is_exact(untrainable_reason: str | None) -> bool:
    """Is the answer complete and are its tokens the sampled ones, so that a prompt may go on from them?"""
    return untrainable_reason is None or untrainable_reason.partition(":")[0] in _TOKENS_HOLD


def _incomplete(finish: str) -> Flaw | None:
    if finish in COMPLETE:
        return None
    if finish == "length":
        return Flaw("length", "the answer was cut off at its token limit")
    if finish == "disconnect":
        return Flaw("disconnect", "the client went away before the answer was complete")
    return Flaw("abort", f"the node did not complete the answer; its finish reason is {finish}")


def _not_ours(provider: str | None) -> Flaw | None:
    if provider is None:
        return None
    return Flaw("provider", f"{provider} is no rollout node: no token ids, log-probabilities or policy version")


def _miscounted(answer: Answer) -> Flaw | None:
    ids, logprobs, used = len(answer.token_ids), len(answer.logprobs), _usage(answer.usage, "completion_tokens")
    if ids == 0:
        return Flaw("tokens", f"the node gave no token ids for {used} completion tokens")
    if ids != logprobs:
        return Flaw("logprobs", f"{ids} token ids but {logprobs} log-probabilities")
    if used != ids:
        return Flaw("usage", f"{ids} token ids but usage says {used} completion tokens")
    return None


def bad_logprobs(logprobs: Sequence[float]) -> Flaw | None:
    """The first that is no log-probability."""
    for position, logprob in enumerate(logprobs):
        if not math.isfinite(logprob) or logprob > 1e-3:  # some rounding above 0 is the engine's
            return Flaw("logprobs", f"log-probability {position} of {len(logprobs)} is {logprob}")
    return None


def _bad_prompt(answer: Answer) -> Flaw | None:
    if not answer.prompt_ids:
        return Flaw("prompt", "the node gave no prompt token ids")
    ids, used = len(answer.prompt_ids), _usage(answer.usage, "prompt_tokens")
    if used != ids:
        return Flaw("prompt", f"{ids} prompt token ids but usage says {used} prompt tokens")
    return None


def _bad_spans(spans: Sequence[PolicySpan] | None, token_count: int) -> Flaw | None:
    if spans is None:
        return Flaw("version", "policy version unknown")
    if not cover(spans, token_count):
        said = ", ".join(f"[{span.start}, {span.end})" for span in spans[:8]) or "nothing"
        return Flaw("version", f"policy version spans cover {said} of {token_count} tokens")
    return None


def _greedy(temperature: float) -> Flaw | None:
    if temperature > 0:
        return None
    return Flaw("temperature", "temperature is 0: the answer was chosen, not sampled")


def _side(turn_type: str) -> Flaw | None:
    if turn_type == "main":
        return None
    return Flaw("side", f"turn type is {turn_type}: not a turn of the task")


def _usage(usage: dict[str, Any] | None, key: str) -> int | None:
    count = (usage or {}).get(key)
    return count if isinstance(count, int) else None
