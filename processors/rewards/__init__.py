"""Rewards of one's own: functions over a step, a next state or a trajectory, run by the processors.

from clawstream.processors.rewards import Episode, reward

@reward
def exact(episode: Episode) -> float:
    return float(episode.text.strip() == episode.metadata["answer"])
"""

from clawstream.processors.rewards.decorated import RewardError, reward
from clawstream.processors.rewards.scorer import Over, Scorer, TryAgainError
from clawstream.processors.rewards.subjects import Episode, Reaction, Subject, Turn
from clawstream.schemas import Reward, Vote

__all__ = [
    "Episode",
    "Over",
    "Reaction",
    "Reward",
    "RewardError",
    "Scorer",
    "Subject",
    "TryAgainError",
    "Turn",
    "Vote",
    "reward",
]
