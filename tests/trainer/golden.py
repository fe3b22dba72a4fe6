"""The formulas again, as plain float64 loops over lists; nothing of the trainer is used here."""

import math
from collections.abc import Sequence

Rows = Sequence[Sequence[float]]
Mask = Sequence[Sequence[bool]]


def ratio(numerator: float, denominator: float) -> float:
    """exp of the difference, held within +-20."""
    return math.exp(max(-20.0, min(20.0, numerator - denominator)))


def token_loss(
    logprob: float, prox: float, behaviour: float, advantage: float, low: float, high: float, dual: float, bound: float
) -> float:
    """Decoupled PPO of one token, with its truncated importance weight."""
    r = ratio(logprob, prox)
    loss = max(-advantage * r, -advantage * min(max(r, 1 - low), 1 + high))
    if advantage < 0:
        loss = min(loss, -dual * advantage)
    return min(ratio(prox, behaviour), bound) * loss


def gae(
    rewards: Rows, values: Rows, mask: Mask, gamma: float, lam: float
) -> tuple[list[list[float]], list[list[float]]]:
    """Advantages and returns, row by row from the end, over masked tokens."""
    advantages, returns = [], []
    for row_rewards, row_values, row_mask in zip(rewards, values, mask, strict=True):
        sampled = [t for t, taken in enumerate(row_mask) if taken]
        row_advantages, row_returns = [0.0] * len(row_mask), [0.0] * len(row_mask)
        next_value = next_advantage = 0.0
        for t in reversed(sampled):
            delta = row_rewards[t] + gamma * next_value - row_values[t]
            next_advantage = delta + gamma * lam * next_advantage
            next_value = row_values[t]
            row_advantages[t], row_returns[t] = next_advantage, next_advantage + row_values[t]
        advantages.append(row_advantages)
        returns.append(row_returns)
    return advantages, returns


def whiten(advantages: Rows, mask: Mask) -> list[list[float]]:
    """Zero mean and unit (unbiased) variance over masked tokens."""
    taken = [a for row, row_mask in zip(advantages, mask, strict=True) for a, m in zip(row, row_mask, strict=True) if m]
    mean = sum(taken) / len(taken)
    variance = sum((a - mean) ** 2 for a in taken) / (len(taken) - 1)
    return [
        [(a - mean) / math.sqrt(variance + 1e-8) if m else 0.0 for a, m in zip(row, row_mask, strict=True)]
        for row, row_mask in zip(advantages, mask, strict=True)
    ]


def value_loss(value: float, old: float, target: float, clip: float) -> float:
    """The clipped value loss of one token."""
    near = old + max(-clip, min(clip, value - old))
    return 0.5 * max((value - target) ** 2, (near - target) ** 2)


def k3(logprob: float, reference: float) -> float:
    """Schulman's third estimator, held below 10."""
    d = max(-20.0, min(20.0, reference - logprob))
    return min(10.0, math.exp(d) - d - 1)
