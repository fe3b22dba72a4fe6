"""A trajectory's advantage from the rewards of its group: no critic.

Invariant: statistics are those of the group as it was closed, so an advantage does not depend on which members share a
window. A group of one has mean 0 and standard deviation 1, as in verl: its reward is its advantage.
"""

from clawstream.schemas import GroupStatistics

_EPSILON = 1e-6


def normalised(reward: float, group: GroupStatistics) -> float:
    """GRPO: ``(r - mean) / (std + 1e-6)``, std unbiased (Shao 2024)."""
    if group.size == 1:
        return reward / (1.0 + _EPSILON)
    return (reward - group.reward_mean) / (group.reward_std + _EPSILON)


def centred(reward: float, group: GroupStatistics) -> float:
    """Dr.GRPO (Liu 2025) and REINFORCE++-baseline: ``r - mean``, so hard and easy tasks weigh alike."""
    return reward if group.size == 1 else reward - group.reward_mean


def leave_one_out(reward: float, group: GroupStatistics) -> float:
    """RLOO (Ahmadian 2024): ``r`` minus the mean of the others, which is ``n / (n - 1) (r - mean)``."""
    if group.size == 1:
        return reward
    return group.size / (group.size - 1) * (reward - group.reward_mean)
