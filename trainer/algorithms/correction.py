"""Weights that correct for tokens of another policy than the one that begins the update (mu against pi_prox).

Invariant: with pi_prox == mu every weight is exactly 1; weights carry no gradient; what a mask drops stays in the
loss's denominator, so dropping never makes the rest weigh more.
"""

import torch
from torch import Tensor

from clawstream.trainer.algorithms.ratios import MAX_LOG_RATIO, ratio
from clawstream.trainer.algorithms.rows import row_mean, row_sum
from clawstream.trainer.settings import TrainerSettings


def truncated(prox: Tensor, behaviour: Tensor, threshold: float) -> Tensor:
    """TIS by tokens: ``min(pi_prox / mu, threshold)`` (verl)."""
    return ratio(prox, behaviour).clamp(max=threshold).detach()


def truncated_sequences(prox: Tensor, behaviour: Tensor, row: Tensor, row_count: int, threshold: float) -> Tensor:
    """TIS by sequences: ``min(product over the row of pi_prox / mu, threshold)`` at each of its tokens."""
    log_product = row_sum(prox - behaviour, row, row_count).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
    return log_product.exp().clamp(max=threshold).detach()[row]


def icepop(prox: Tensor, behaviour: Tensor, low: float, high: float) -> Tensor:
    """IcePop: ``pi_prox / mu`` within ``[low, high]``, else 0 (the token does not train)."""
    weights = ratio(prox, behaviour).detach()
    return torch.where((weights >= low) & (weights <= high), weights, 0.0)


def correction_weights(
    prox: Tensor, behaviour: Tensor, row: Tensor, row_count: int, settings: TrainerSettings
) -> Tensor:
    """The configured weight of each token ``[M]``; rows must be whole."""
    if settings.correction == "tis":
        weights = truncated(prox, behaviour, settings.tis_threshold)
    elif settings.correction == "sequence-tis":
        weights = truncated_sequences(prox, behaviour, row, row_count, settings.tis_threshold)
    elif settings.correction == "icepop":
        weights = icepop(prox, behaviour, settings.icepop_low, settings.icepop_high)
    else:
        weights = torch.ones_like(prox)
    if settings.sequence_mask == "none":
        return weights
    low, high = settings.mask_low, settings.mask_high
    of_rows = row_mean if settings.sequence_mask == "geometric" else row_sum
    return weights * within(of_rows(prox - behaviour, row, row_count), low, high)[row]


def within(log_ratios: Tensor, low: float, high: float) -> Tensor:
    """1 where the ratio of a whole row lies within ``[low, high]``, else 0.

    Log-ratios are means over tokens (geometric: NeMo's seq-mask-tis, 0.999 to 1.002) or sums (product: SkyRL).
    """
    ratios = log_ratios.detach().clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp()
    return ((ratios >= low) & (ratios <= high)).to(ratios.dtype)
