"""Generalised advantage estimation (Schulman 2016), by tokens or by steps.

Invariant: credit reaches every step, and nothing between the steps (tool results, observations) takes or loses any.
"""

import torch
from torch import Tensor

from clawstream.trainer.algorithms.rows import firsts, row_sum, to_rows


def gae(
    rewards: Tensor, values: Tensor, row: Tensor, row_count: int, *, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """Advantages and returns of sampled tokens, ``[M]`` each.

    Backwards: ``delta = r + gamma V_next - V``, ``A = delta + gamma lam A_next``. The value after the last token of a
    row is 0. Returns are ``A + V``.
    """
    padded_rewards, filled = to_rows(rewards, row, row_count)
    padded_values, _ = to_rows(values, row, row_count)
    advantages = torch.zeros_like(padded_values)
    next_value, next_advantage = torch.zeros_like(padded_values[:, 0]), torch.zeros_like(padded_values[:, 0])
    for t in reversed(range(padded_values.shape[1])):
        here = filled[:, t]
        delta = padded_rewards[:, t] + gamma * next_value - padded_values[:, t]
        advantages[:, t] = torch.where(here, delta + gamma * lam * next_advantage, 0.0)
        next_value = torch.where(here, padded_values[:, t], next_value)
        next_advantage = torch.where(here, advantages[:, t], next_advantage)
    found = advantages[filled]
    return found, found + values


def gae_of_steps(
    rewards: Tensor, values: Tensor, step: Tensor, row: Tensor, row_count: int, *, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """The same by steps (AReaL ``gae_timestep_unit=turn``): all tokens of a step share its advantage and return.

    A step's reward is the sum over its tokens, its value that of its first token; ``step`` ``[M]`` counts 0, 1, 2, …
    """
    begins = firsts(step)
    of_steps, returns = gae(
        row_sum(rewards, step, int(begins.sum())), values[begins], row[begins], row_count, gamma=gamma, lam=lam
    )
    return of_steps[step], returns[step]
