"""How losses of tokens become one number: a weight for each token, so that the loss is ``sum(weight * loss)``.

Invariant: weights are those of the whole minibatch, over micro-batches and ranks, so cutting it up changes nothing; a
token that does not count has weight 0 and is in no denominator.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from clawstream.trainer.algorithms.rows import row_lengths
from clawstream.trainer.settings import Aggregation


def token_weights(
    kind: Aggregation, counted: Tensor, *, row: Tensor, step: Tensor, sample: Tensor, norm_tokens: int
) -> Tensor:
    """Weight of each token ``[M]`` float; ``counted`` ``[M]`` bool, the other tensors name the unit it belongs to.

    ``token-mean``: all tokens alike. ``seq-mean-…``: all sequences alike (original GRPO, GSPO); ``…-norm`` divides by
    the constant ``norm_tokens`` (Dr.GRPO). ``step-mean-…``: all steps alike (OpenClaw-RL, where a step is a sample).
    ``rollout-mean``: all trajectories alike, however many sequences they have (agent-lightning v1).
    """
    weights = counted.to(torch.float32)
    if not counted.any():
        return weights
    unit_of: dict[str, Callable[[], Tensor]] = {
        "seq": lambda: row,
        "step": lambda: step,
        "rollout": lambda: sample,
    }
    if kind == "token-mean":
        return weights / weights.sum()
    unit = unit_of[kind.partition("-")[0]]()
    lengths = row_lengths(unit[counted], int(unit.max()) + 1)
    weights = weights / (lengths > 0).sum()
    if kind == "seq-mean-token-sum":
        return weights
    if kind == "seq-mean-token-sum-norm":
        return weights / norm_tokens
    return weights / lengths[unit].clamp(min=1)
