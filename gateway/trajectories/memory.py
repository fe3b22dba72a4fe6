"""What this gateway remembers of trajectories: their channel, and which ones hold a place in the pace.

Invariant: this is a cache. A trajectory that is unknown here (after a restart, or long ago) is taken for a train
trajectory; the truth is the channel of its ``opened`` feedback, which is in the log before the registration is
answered, and processors take it from there and not from the step (and so does ``openings.py``, of other gateways).
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from clawstream.gateway.errors import too_many
from clawstream.gateway.trajectories.pacing import Opening, Pace, counts, wait_seconds

TRAIN = "train"


class Trajectories:
    """The trajectories used last, bounded in number."""

    def __init__(
        self,
        pace: Pace,
        max_trajectories: int,
        newest_version: Callable[[str | None], int],
        elsewhere: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """``newest_version``: of an adapter, or of the whole model; ``elsewhere``: the channel in which another gateway
        opened it."""
        self._pace, self._max, self._newest_version = pace, max_trajectories, newest_version
        self._elsewhere = elsewhere
        self._channels: OrderedDict[str, str] = OrderedDict()
        self._openings: dict[str, Opening] = {}

    def channel(self, trajectory_id: str) -> str:
        """The channel as far as it is known here."""
        return self._channels.get(trajectory_id) or self._elsewhere(trajectory_id) or TRAIN

    def admit(
        self,
        trajectory_id: str,
        channel: str | None,
        now_seconds: float,
        *,
        trains: bool = True,
        is_open: bool = False,
        adapter: str | None = None,
    ) -> None:
        """Note that the trajectory is used, in ``channel`` where one is named. Raises ``ApiError`` 429 when opening it
        would be too fast; then nothing is noted. ``trains``: False for a call that never trains;
        ``is_open``: it was opened elsewhere, and is not refused in its midst; ``adapter``: that answers it.
        """
        wanted = channel or self.channel(trajectory_id)
        if wanted != TRAIN:
            self._openings.pop(trajectory_id, None)
        elif trains and not is_open and trajectory_id not in self._channels:
            self._take_place(trajectory_id, now_seconds, adapter)
        elif trains and adapter is not None:
            self._move_place(trajectory_id, adapter)
        if trains or trajectory_id in self._channels:
            self._channels[trajectory_id] = wanted
            self._channels.move_to_end(trajectory_id)
            while len(self._channels) > self._max:
                self._channels.popitem(last=False)

    def abort(self, trajectory_id: str) -> None:
        """Give back the place of a trajectory that will not train."""
        self._openings.pop(trajectory_id, None)

    def _move_place(self, trajectory_id: str, adapter: str) -> None:
        """It was registered before a call said that ``adapter`` answers it. It is open, so it is not refused."""
        opening = self._openings.get(trajectory_id)
        if opening is not None and opening.adapter != adapter:
            version = self._newest_version(adapter)
            self._openings[trajectory_id] = replace(opening, adapter=adapter, version=version)

    def _take_place(self, trajectory_id: str, now_seconds: float, adapter: str | None) -> None:
        if self._pace.trajectories_per_version == 0:
            return
        self._openings = {
            name: opening
            for name, opening in self._openings.items()
            if counts(opening, self._newest_version(opening.adapter), now_seconds, self._pace)
        }
        version = self._newest_version(adapter)
        beside = [opening for opening in self._openings.values() if opening.adapter == adapter]
        wait = wait_seconds(beside, version, now_seconds, self._pace)
        if wait is not None:
            raise too_many(
                f"{len(beside)} train trajectories{f' of {adapter}' if adapter else ''} were opened during the last "
                f"{self._pace.max_policy_lag + 1} policy versions, as many as the trainer can use; version {version} "
                "is the newest",
                "paced",
                wait,
            )
        self._openings[trajectory_id] = Opening(adapter=adapter, version=version, at_seconds=now_seconds)
