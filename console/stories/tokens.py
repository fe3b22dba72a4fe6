"""A step as tokens: what the engine saw and sampled. Pure.

Invariant: ids are those of the log; nothing is re-made from text. Only sampled tokens have a log-probability, a policy
version and an advantage.
"""

from dataclasses import dataclass

import numpy as np

from clawstream.schemas import Sample, Step, unpack_logprobs, unpack_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token of a step."""

    position: int  # in the step's prompt and response, from 0
    id: int
    logprob: float | None  # of the policy that sampled it, in nats; None: not sampled
    version: int | None  # of that policy
    advantage: float | None  # of its sample in its group; None: in no sample
    trained: bool  # it is part of a sample's loss


def tokens(step: Step, sample: Sample | None, most: int) -> list[Token]:
    """The step's own prompt tokens, after what it goes on from, and its response; the first ``most``."""
    before = step.prompt_prefix.token_count if step.prompt_prefix is not None else 0
    prompt, response = unpack_tokens(step.prompt_tokens).tolist(), unpack_tokens(step.response_tokens).tolist()
    logprobs, versions = unpack_logprobs(step.response_logprobs).tolist(), _versions(step, len(response))
    advantage = None if sample is None else group_advantage(sample)
    found = [
        Token(position=before + n, id=token, logprob=None, version=None, advantage=None, trained=False)
        for n, token in enumerate(prompt[:most])
    ]
    start = before + len(prompt)
    for n, token in enumerate(response[: max(0, most - len(prompt))]):
        found.append(
            Token(
                position=start + n,
                id=token,
                logprob=logprobs[n] if n < len(logprobs) else None,
                version=versions[n],
                advantage=advantage,
                trained=sample is not None,
            )
        )
    return found


def group_advantage(sample: Sample) -> float:
    """By how many standard deviations the reward is above the group's mean; above it, where all are equal or alone.

    It is GRPO's. Another algorithm's is in the trainer alone: an update's ``objective`` names it.
    """
    group = sample.group
    above = sample.reward - group.reward_mean
    return above / group.reward_std if group.reward_std > 0 else above


def _versions(step: Step, count: int) -> list[int | None]:
    versions = np.full(count, -1)
    for span in step.policy_spans:
        versions[max(span.start, 0) : max(span.end, 0)] = span.version
    return [None if version < 0 else version for version in versions.tolist()]
