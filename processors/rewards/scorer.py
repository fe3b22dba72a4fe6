"""What every reward processor is: a name, what it looks at, and how many calls it may have under way."""

from abc import ABC, abstractmethod
from typing import Literal

from clawstream.processors.rewards.subjects import Subject
from clawstream.schemas import Reward

Over = Literal["step", "next_state", "trajectory"]


class TryAgainError(Exception):
    """Scoring failed for a reason that may pass, such as a server that is busy."""


class UnscoredError(Exception):
    """Scoring failed for good; what was learnt on the way, such as votes, is kept."""

    def __init__(self, why: str, reward: Reward) -> None:
        super().__init__(why)
        self.reward = reward


class Scorer(ABC):
    """Gives rewards. Its name is the source of each."""

    def __init__(
        self, name: str, over: Over, *, concurrency: int = 8, timeout_seconds: float | None = 60.0, tries: int = 3
    ) -> None:
        """``concurrency``: subjects under way at once. What takes longer than ``timeout_seconds`` is tried again, up to
        ``tries`` times in all; None: it has time-outs of its own."""
        self.name, self.over = name, over
        self.concurrency, self.timeout_seconds, self.tries = concurrency, timeout_seconds, tries

    @abstractmethod
    async def score(self, subject: Subject) -> Reward | float | None:
        """A reward of ``subject``, its value, or None: it has nothing to say. Raises ``TryAgainError``; whatever else
        it raises is a fault that trying again does not mend."""

    async def close(self) -> None:
        """Let go of connections."""
        return
