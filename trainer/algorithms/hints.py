"""Learning from hints (OpenClaw-RL): a teacher that has read the hint says how likely each sampled token should be.

Invariant: teacher and student are asked at the same temperature about the same tokens, so an empty hint and equal
weights give advantage 0 on every token.
"""

import torch
from torch import Tensor

_MIN_MASS = 1e-7


def token_advantages(teacher: Tensor, student: Tensor, clip: float | None) -> Tensor:
    """``log pi_T - log pi`` of each sampled token ``[M]``, within ``+-clip`` when one is given."""
    advantages = teacher - student
    return advantages if clip is None else advantages.clamp(-clip, clip)


def top_k_divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Reverse KL over the teacher's top K tokens and one bin for all others, ``[M]``.

    Both hold log-probabilities ``[M, K]`` of the same K tokens: ``sum_k pi (log pi - log pi_T)`` over the K + 1 bins.
    """
    student, teacher = (torch.cat([of, _tail(of)], dim=1) for of in (student, teacher))
    return (student.exp() * (student - teacher)).sum(dim=1)


def _tail(logprobs: Tensor) -> Tensor:
    """Log-probability of everything else, ``[M, 1]``: ``log(1 - sum of the top)``, away from log 0."""
    return torch.log(-torch.expm1(logprobs.logsumexp(dim=1, keepdim=True).clamp(max=-_MIN_MASS)))
