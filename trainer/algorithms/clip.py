"""PPO's clipped surrogate (Schulman 2017) with clip-higher (DAPO) and the dual clip (Ye 2020, arXiv 1912.09729)."""

from typing import NamedTuple

import torch
from torch import Tensor, maximum, minimum, where

from clawstream.trainer.algorithms.ratios import ratio


class Surrogate(NamedTuple):
    """Loss of each token, ``[M]``, and whether the clip holds its gradient back."""

    loss: Tensor
    clipped: Tensor


def clipped_surrogate(
    r: Tensor, advantages: Tensor, *, clip_low: float, clip_high: float, dual_clip: float | None
) -> Surrogate:
    """``max(-A r, -A clip(r, 1 - low, 1 + high))``, at most ``-dual_clip A`` where A < 0; ``r`` has the gradient."""
    plain = -advantages * r
    bounded = -advantages * r.clamp(1 - clip_low, 1 + clip_high)
    loss = maximum(plain, bounded)
    clipped = bounded > plain
    if dual_clip is None:
        return Surrogate(loss, clipped)
    negative, floor = advantages < 0, -dual_clip * advantages
    return Surrogate(where(negative, minimum(loss, floor), loss), clipped | (negative & (loss > floor)))


def ppo_clip(
    logprobs: Tensor, old: Tensor, advantages: Tensor, *, clip_low: float, clip_high: float, dual_clip: float | None
) -> Surrogate:
    """The surrogate of each token's own ratio ``pi / pi_old``."""
    return clipped_surrogate(
        ratio(logprobs, old), advantages, clip_low=clip_low, clip_high=clip_high, dual_clip=dual_clip
    )


def effective_sample_size(weights: Tensor) -> Tensor:
    """``(sum w)^2 / (n sum w^2)`` of weights ``[N]``: 1 when all are equal, 0 when all are 0."""
    return torch.nan_to_num(weights.sum().square() / (weights.numel() * weights.square().sum()))
