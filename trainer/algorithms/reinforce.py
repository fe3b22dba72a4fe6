"""REINFORCE++ (Hu 2025): discounted returns of token rewards, whitened over the batch; no critic, no group."""

import torch
from torch import Tensor

from clawstream.trainer.algorithms.gae import gae


def returns_to_go(rewards: Tensor, row: Tensor, row_count: int, *, gamma: float) -> Tensor:
    """``G_t = r_t + gamma G_(t+1)`` of each sampled token, ``[M]``; token rewards may hold ``-beta k1``."""
    advantages, _ = gae(rewards, torch.zeros_like(rewards), row, row_count, gamma=gamma, lam=1.0)
    return advantages
