"""What became of the rollouts. Pure.

Invariant: each rollout is in one state at a time, and what failed is never among the completed::

    WAITING (to be opened) -> OPEN -> COMPLETED | FAILED | INTERRUPTED
"""

from collections import Counter
from dataclasses import dataclass, field

_REASONS = 5  # that are kept, the first ones


@dataclass(kw_only=True)
class Tally:
    """Counts of one run."""

    tasks: int
    rollouts: int  # of each task
    waiting: int = 0
    open: int = 0
    completed: int = 0
    failed: int = 0
    interrupted: int = 0
    rewarded: int = 0  # completed ones whose reward is known
    reward_sum: float = 0.0
    tasks_finished: int = 0
    reasons: Counter[str] = field(default_factory=Counter)  # of failures, with how many failed for each
    other_reasons: int = 0  # failures for reasons that are not kept
    _ended_of_task: Counter[str] = field(default_factory=Counter)

    @property
    def trajectories(self) -> int:
        """All that are to be made."""
        return self.tasks * self.rollouts

    @property
    def ended(self) -> int:
        """Trajectories that were completed or failed."""
        return self.completed + self.failed

    @property
    def begun(self) -> int:
        """Trajectories that were opened."""
        return self.open + self.ended + self.interrupted

    @property
    def mean_reward(self) -> float | None:
        """Over the completed ones whose reward is known; None when there are none."""
        return self.reward_sum / self.rewarded if self.rewarded else None

    def begins(self) -> None:
        """A rollout is to be opened."""
        self.waiting += 1

    def not_begun(self) -> None:
        """It could not be opened."""
        self.waiting -= 1

    def opens(self) -> None:
        """It was opened."""
        self.waiting -= 1
        self.open += 1

    def completes(self, group: str, reward: float | None) -> None:
        """It came to its end."""
        self.completed += 1
        if reward is not None:
            self.rewarded += 1
            self.reward_sum += reward
        self._ends(group)

    def fails(self, group: str, reason: str) -> None:
        """It failed."""
        self.failed += 1
        if reason in self.reasons or len(self.reasons) < _REASONS:
            self.reasons[reason] += 1
        else:
            self.other_reasons += 1
        self._ends(group)

    def is_interrupted(self) -> None:
        """Somebody stopped it."""
        self.open -= 1
        self.interrupted += 1

    def lines(self, seconds: float) -> list[str]:
        """The summary."""
        mean = "none known" if self.mean_reward is None else f"{self.mean_reward:.4g}"
        unrewarded = self.completed - self.rewarded
        others = ((self.interrupted, "interrupted"), (self.trajectories - self.begun, "not begun"))
        left = "".join(f", {count} {what}" for count, what in others if count)
        lines = [
            f"tasks         {self.tasks_finished} of {self.tasks}",
            f"trajectories  {self.completed} completed, {self.failed} failed{left}",
            f"mean reward   {mean}{f' ({unrewarded} completed without a reward)' if unrewarded else ''}",
            f"time          {seconds:.1f} s",
        ]
        lines += [f"failed        {count} x {reason}" for reason, count in self.reasons.items()]
        return lines + ([f"failed        {self.other_reasons} x for other reasons"] if self.other_reasons else [])

    def _ends(self, group: str) -> None:
        self.open -= 1
        self._ended_of_task[group] += 1
        if self._ended_of_task[group] == self.rollouts:
            del self._ended_of_task[group]
            self.tasks_finished += 1
