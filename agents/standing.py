"""What a trajectory has come to.

Invariant: it ends once::

    OPEN -> COMPLETED (by ``complete``, or by leaving the block)
    OPEN -> ABORTED   (by ``abort``, or by an exception that leaves the block)
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from clawstream.agents.errors import AgentError, EndedError
from clawstream.agents.place import Place


@dataclass(kw_only=True)
class Standing:
    """One trajectory's state, shared by whoever speaks for it."""

    place: Place
    ended: Literal["completed", "aborted"] | None = None
    outcome: float | None = None  # the reward that it was completed with
    reason: str = ""  # why it was aborted
    submitted_count: int = 0

    @contextlib.contextmanager
    def numbering(self, count: int) -> Iterator[int]:
        """The index of the first of ``count`` steps. After an error it is given again, so that they keep their ids."""
        first, after = self.submitted_count, self.submitted_count + count
        self.submitted_count = after
        try:
            yield first
        except BaseException:
            if self.submitted_count == after:
                self.submitted_count = first
            raise

    def require_open(self) -> Place:
        """The trajectory's place. Raises ``EndedError`` once it has ended."""
        if self.ended is not None:
            raise EndedError(f"trajectory {self.place.trajectory_id} was {self.ended}; open another one")
        return self.place

    def completed(self, outcome: float | None) -> None:
        """Its completion is recorded."""
        self.ended, self.outcome = "completed", outcome

    def aborted(self, reason: str) -> None:
        """Its failure is recorded."""
        self.ended, self.reason = "aborted", reason


def reason_of(error: BaseException) -> str:
    """Why ``error`` ended a trajectory, in one line."""
    if isinstance(error, AgentError):
        return str(error)
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
        return "interrupted"
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
