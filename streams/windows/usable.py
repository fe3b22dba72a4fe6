"""Whether a sample can be trained exactly as it was sampled. Pure.

Invariant: nothing is cut, padded over or guessed; what does not fit whole is refused with a sentence that says why.
"""

from dataclasses import dataclass

import numpy as np

from clawstream.schemas import TOKEN_BYTES, ResponseSpan, Sample, Sequence, unpack_logprobs, unpack_tokens

_LOGPROB_ROUNDING = 1e-3


@dataclass(frozen=True, kw_only=True)
class ModelLimits:
    """What the model can take in."""

    max_positions: int  # longest sequence, in tokens
    vocabulary_size: int  # token ids are below it


def policy_lag(sample: Sample, version: int) -> int:
    """Versions by which the oldest of its tokens is behind ``version`` (spec: ``v - min_t v_t``)."""
    return version - min(span.version for sequence in sample.sequences for span in sequence.policy_spans)


def youngest_lag(sample: Sample, version: int) -> int:
    """Versions by which the newest of its tokens is behind ``version``."""
    return version - max(span.version for sequence in sample.sequences for span in sequence.policy_spans)


def trained_lag(sample: Sample, version: int, max_lag: int) -> int:
    """Versions by which the oldest of the tokens that train is behind: those up to ``max_lag``."""
    lags = (version - span.version for sequence in sample.sequences for span in sequence.policy_spans)
    return max(lag for lag in lags if lag <= max_lag)


def unusable(sample: Sample, limits: ModelLimits, version: int) -> str | None:
    """Why ``sample`` cannot be trained at ``version``, whatever its lag; ``None`` when it can."""
    if not sample.sequences:
        return "it has no sequence"
    statistics = sample.group
    numbers = (sample.reward, statistics.reward_mean, statistics.reward_std)
    if not np.isfinite(numbers).all():
        return f"reward {numbers[0]}, group mean {numbers[1]} and std {numbers[2]} are not all finite"
    for number, sequence in enumerate(sample.sequences):
        reason = _sizes(sequence, limits) or _spans(sequence, sample.logprobs_mode) or _values(sequence, limits)
        reason = reason or _versions(sequence, version)
        if reason is not None:
            return f"sequence {number}: {reason}"
    return None


def _sizes(sequence: Sequence, limits: ModelLimits) -> str | None:
    if len(sequence.tokens) % TOKEN_BYTES or len(sequence.tokens) != len(sequence.logprobs):
        return f"{len(sequence.tokens)} bytes of tokens and {len(sequence.logprobs)} of log-probabilities do not match"
    count = len(sequence.tokens) // TOKEN_BYTES
    if count > limits.max_positions:
        return f"{count} tokens are more than the model's {limits.max_positions} positions"
    return None


def _spans(sequence: Sequence, logprobs_mode: str) -> str | None:
    count = len(sequence.tokens) // TOKEN_BYTES
    if not sequence.responses:
        return "nothing in it was sampled"
    after = 1  # the first token has nothing before it that could predict it
    for span in sequence.responses:
        if not after <= span.start < span.end <= count:
            return f"response [{span.start}, {span.end}) does not lie within [{after}, {count})"
        after = span.end
        if (reason := _temperature(span, logprobs_mode)) is not None:
            return reason
    return None


def _temperature(span: ResponseSpan, logprobs_mode: str) -> str | None:
    if not 0 < span.temperature < float("inf"):
        return f"temperature {span.temperature} of step {span.step_id} is no sampling from the policy"
    if logprobs_mode != "processed_logprobs" and span.temperature != 1.0:
        return f"{logprobs_mode or 'unnamed log-probabilities'} do not hold the temperature {span.temperature}"
    return None


def _values(sequence: Sequence, limits: ModelLimits) -> str | None:
    tokens, logprobs = unpack_tokens(sequence.tokens), unpack_logprobs(sequence.logprobs)
    if tokens.min() < 0 or tokens.max() >= limits.vocabulary_size:
        return f"token ids {tokens.min()} to {tokens.max()} are not all below {limits.vocabulary_size}"
    sampled = np.concatenate([logprobs[span.start : span.end] for span in sequence.responses])
    if not np.isfinite(sampled).all() or sampled.max() > _LOGPROB_ROUNDING:
        return f"log-probabilities {sampled.min()} to {sampled.max()} are not all finite and at most 0"
    return None


def _versions(sequence: Sequence, version: int) -> str | None:
    if not sequence.policy_spans:
        return "no policy version is given"
    newest = max(span.version for span in sequence.policy_spans)
    if newest > version:
        return f"policy version {newest} sampled it, which is not of this trainer: it is at {version}"
    return None
