"""Several rewards become one number, by a stated rule. Pure.

Invariant: a missing reward is None, never 0. Of each source the newest value counts, times the source's weight; then
the rule puts the sources together::

    agent 1.0, judge 0 at noon, judge 1 at one; weights judge=0.5      sum: 1.0 + 0.5 * 1 = 1.5
"""

import math
from collections.abc import Callable, Iterable, Mapping
from statistics import fmean
from typing import Literal

from clawstream.schemas import Reward, RewardKind

Rule = Literal["sum", "mean", "min", "max"]
_RULES: dict[Rule, Callable[[list[float]], float]] = {"sum": math.fsum, "mean": fmean, "min": min, "max": max}


def values(rewards: Iterable[Reward], kind: RewardKind = "outcome", step_id: str | None = None) -> dict[str, float]:
    """The newest value of each source, of outcome rewards or of those of one step."""
    chosen = [
        reward
        for reward in rewards
        if reward.kind == kind and (kind == "outcome" or reward.step_id == step_id) and is_number(reward.value)
    ]
    return {reward.source: reward.value for reward in sorted(chosen, key=_age) if reward.value is not None}


def combined(found: Mapping[str, float], rule: Rule, weights: Mapping[str, float]) -> float | None:
    """One number, or None when no source has given any."""
    weighted = [value * weights.get(source, 1.0) for source, value in found.items()]
    return float(_RULES[rule](weighted)) if weighted else None


def is_number(value: float | None) -> bool:
    """A value that says something."""
    return value is not None and math.isfinite(value)


def _age(reward: Reward) -> tuple[float, str]:
    """Of two with one time, which counts must not depend on who came first."""
    return reward.at.timestamp(), reward.reward_id
