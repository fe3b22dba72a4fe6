"""What follows from the records of a batch, sent together.

Invariant: a state is kept only after the outputs that it follows from are acknowledged, and a record is looked at only
after the states of its owner are kept. Records of different owners do not wait for each other.
"""

from collections.abc import Awaitable, Callable

from clawstream.processors.output import Output
from clawstream.processors.stages import Due

Emit = Callable[[list[Output]], Awaitable[None]]  # returns once all are acknowledged


class Pending:
    """Dues whose outputs are not sent yet."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._dues: dict[bytes, Due] = {}  # by owner

    async def make_room(self, owner: bytes) -> None:
        """Return once no due of ``owner`` is pending."""
        if owner in self._dues:
            await self.finish()

    def add(self, owner: bytes, due: Due) -> None:
        """Keep what is due at once when nothing is to be sent, else once it is sent."""
        if due.outputs:
            self._dues[owner] = due
        else:
            due.settle()

    async def finish(self) -> None:
        """Send all that is pending, then keep what follows."""
        dues, self._dues = list(self._dues.values()), {}
        await self._emit([output for due in dues for output in due.outputs])
        for due in dues:
            due.settle()
