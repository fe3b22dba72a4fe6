"""CISPO (MiniMax-M1, 2025): the weight is clipped and no token loses its gradient."""

from torch import Tensor

from clawstream.trainer.algorithms.clip import Surrogate
from clawstream.trainer.algorithms.ratios import ratio


def cispo(logprobs: Tensor, old: Tensor, advantages: Tensor, *, clip_low: float, clip_high: float) -> Surrogate:
    """``-sg(clip(pi / pi_old, 1 - low, 1 + high)) A log pi``; ``clipped`` says where the weight was held."""
    r = ratio(logprobs, old).detach()
    weight = r.clamp(1 - clip_low, 1 + clip_high)
    return Surrogate(-weight * advantages * logprobs, weight != r)
