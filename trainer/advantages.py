"""Advantages of sampled tokens. Tensors are ``[B, T]``, a row for each sequence; ``mask``: it was sampled.

Invariant: credit reaches every step. In GRPO each sampled token of each step has its trajectory's advantage; in GAE
the tokens between steps (tool results, observations) neither take nor lose credit on its way back::

    reward 1 in a group (0, 1)    u u a a t a a e        A = +0.707 at each a and e, 0 at u and t
"""

import torch
from torch import Tensor

_GROUP_EPSILON = 1e-6
_WHITEN_EPSILON = 1e-8


def grpo_advantage(reward: float, group_mean: float, group_std: float, group_size: int) -> float:
    """``(r - mean) / (std + 1e-6)``, std unbiased (GRPO). A group of one has mean 0 and std 1, as in verl."""
    if group_size == 1:
        group_mean, group_std = 0.0, 1.0
    return (reward - group_mean) / (group_std + _GROUP_EPSILON)


def spread(of_rows: Tensor, mask: Tensor) -> Tensor:
    """Give each row's value, shape ``[B]``, to all its sampled tokens."""
    return of_rows[:, None] * mask


def at_last_sampled(of_rows: Tensor, mask: Tensor) -> Tensor:
    """Put each row's value, shape ``[B]``, on its last sampled token."""
    positions = torch.arange(mask.shape[1], device=mask.device)
    last = torch.where(mask, positions, -1).amax(dim=1)
    return of_rows[:, None] * (positions == last[:, None])


def gae(rewards: Tensor, values: Tensor, mask: Tensor, *, gamma: float, lam: float) -> tuple[Tensor, Tensor]:
    """Advantages and returns by generalised advantage estimation (Schulman 2016) over sampled tokens alone.

    Backwards: ``delta = r + gamma V_next - V``, ``A = delta + gamma lam A_next``; tokens outside ``mask`` give 0 and
    pass ``V_next`` and ``A_next`` on unchanged. The value after the last sampled token is 0. Returns are ``A + V``.
    """
    advantages = torch.zeros_like(values)
    next_value, next_advantage = torch.zeros_like(values[:, 0]), torch.zeros_like(values[:, 0])
    for t in reversed(range(values.shape[1])):
        sampled = mask[:, t]
        advantage = rewards[:, t] + gamma * next_value - values[:, t] + gamma * lam * next_advantage
        advantages[:, t] = torch.where(sampled, advantage, 0.0)
        next_value = torch.where(sampled, values[:, t], next_value)
        next_advantage = torch.where(sampled, advantage, next_advantage)
    return advantages, (advantages + values) * mask


def whiten(advantages: Tensor, mask: Tensor) -> Tensor:
    """``(A - mean) / sqrt(var + 1e-8)`` over sampled tokens, variance unbiased; one token alone stays as it is."""
    sampled = advantages[mask]
    if sampled.numel() < 2:
        return advantages
    return (advantages - sampled.mean()) * (sampled.var() + _WHITEN_EPSILON).rsqrt() * mask
