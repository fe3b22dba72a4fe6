"""The formulas again, as plain float64 loops over lists; nothing of the trainer is used here."""

import math
from collections.abc import Sequence

Row = Sequence[float]


def ratio(numerator: float, denominator: float) -> float:
    """exp of the difference, held within +-20."""
    return math.exp(max(-20.0, min(20.0, numerator - denominator)))


def clipped(r: float, advantage: float, low: float, high: float, dual: float | None) -> float:
    """PPO's clipped loss of one token."""
    loss = max(-advantage * r, -advantage * min(max(r, 1 - low), 1 + high))
    return min(loss, -dual * advantage) if dual is not None and advantage < 0 else loss


def gspo(rows: Sequence[tuple[Row, Row, Row]], low: float, high: float, dual: float) -> list[float]:
    """Rows of (log-probabilities, old ones, advantages): every token is judged by its row's geometric mean ratio."""
    losses = []
    for logprobs, old, advantages in rows:
        s = math.exp(sum(new - before for new, before in zip(logprobs, old, strict=True)) / len(logprobs))
        losses += [clipped(s, advantage, low, high, dual) for advantage in advantages]
    return losses


def gae(rewards: Row, values: Row, gamma: float, lam: float) -> tuple[list[float], list[float]]:
    """Advantages and returns of one row, from its end."""
    advantages: list[float] = []
    next_value = next_advantage = 0.0
    for reward, value in zip(reversed(rewards), reversed(values), strict=True):
        next_advantage = reward + gamma * next_value - value + gamma * lam * next_advantage
        next_value = value
        advantages.insert(0, next_advantage)
    return advantages, [advantage + value for advantage, value in zip(advantages, values, strict=True)]


def returns(rewards: Row, gamma: float) -> list[float]:
    """Discounted sums from each place to the end."""
    return [
        sum(gamma ** (later - place) * rewards[later] for later in range(place, len(rewards)))
        for place in range(len(rewards))
    ]


def whiten(advantages: Row) -> list[float]:
    """Zero mean and unit (unbiased) variance."""
    mean = sum(advantages) / len(advantages)
    variance = sum((a - mean) ** 2 for a in advantages) / (len(advantages) - 1)
    return [(a - mean) / math.sqrt(variance + 1e-8) for a in advantages]


def value_loss(value: float, old: float, target: float, clip: float) -> float:
    """The clipped value loss of one token."""
    near = old + max(-clip, min(clip, value - old))
    return 0.5 * max((value - target) ** 2, (near - target) ** 2)


def k3(logprob: float, reference: float) -> float:
    """Schulman's third estimator, held below 10."""
    d = max(-20.0, min(20.0, reference - logprob))
    return min(10.0, math.exp(d) - d - 1)


def top_k_divergence(student: Row, teacher: Row) -> float:
    """Reverse KL over the top and one bin for the rest."""
    rest = [1 - sum(math.exp(logprob) for logprob in row) for row in (student, teacher)]
    found = sum(math.exp(s) * (s - t) for s, t in zip(student, teacher, strict=True))
    return found + rest[0] * (math.log(rest[0]) - math.log(rest[1]))
