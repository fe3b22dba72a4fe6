"""Trajectories that other gateway processes opened, so that each is known, is its owner's and has its channel here
before its first call.

Invariant: the channel is that of the newest opening which named one, as processors take it; the openings written last
are kept, bounded in number::

    gateway A   register t, val ──> feedback ──> gateway B
    gateway B                       a call of t: in val, and not paced; another tenant's: 403
"""

from collections import OrderedDict

from clawstream.gateway.callers.identity import scope_of
from clawstream.gateway.log.ledger import WRITER, is_opening
from clawstream.gateway.trajectories.following import Following
from clawstream.gateway.trajectories.memory import TRAIN
from clawstream.gateway.trajectories.seen import Seen
from clawstream.schemas import CodecError, Feedback, decode
from clawstream.streams.reading.tail import RawRecord, Tail


class Openings(Following):
    """Follows ``feedback``. A thread adds, the event loop looks up."""

    def __init__(self, tail: Tail, catch_up_seconds: float, seen: Seen, writer: str, max_trajectories: int) -> None:
        """``writer``: this process, which knows its own."""
        super().__init__(tail, catch_up_seconds)
        self._seen, self._writer, self._max = seen, writer.encode(), max_trajectories
        self._channels: OrderedDict[str, str] = OrderedDict()

    def take(self, record: RawRecord) -> None:
        """Keep an opening; what else is said does not matter here."""
        if record.headers.get(WRITER) == self._writer or not is_opening(record.headers):
            return
        try:
            opening = decode(record.value, Feedback)
        except CodecError:  # who reads the log for good buries it
            return
        self._seen.note(opening.tenant, opening.trajectory_id, opening.group_id)
        scope = scope_of(opening.tenant, opening.trajectory_id)
        self._channels[scope] = opening.channel or self._channels.get(scope, TRAIN)
        self._channels.move_to_end(scope)
        while len(self._channels) > self._max:
            self._channels.popitem(last=False)

    def channel(self, scope: str) -> str | None:
        """The channel of the trajectory; ``None`` for one that no other process is known to have opened."""
        return self._channels.get(scope)
