"""The two stages over their tables: what to do with a record, and what to do when time passes.

Invariant: outputs are returned before the state that says that they were put out is kept (``settle``), so a crash
between the two repeats outputs with the same ids and loses none.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from clawstream.processors import assembly, closing, grouping
from clawstream.processors.assembly import TrajectoryState
from clawstream.processors.grouping import GroupState
from clawstream.processors.output import Output
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.tables import Kept, key_of, owner_of
from clawstream.schemas import Feedback, Step, Trajectory

Settled = Callable[[bytes], int | None]  # owner -> time (ms) up to which its events were taken; None: not this worker's


@dataclass(kw_only=True)
class Due:
    """What is to be put out now, and what is to be kept after that."""

    outputs: list[Output] = field(default_factory=list)
    keep: list[Callable[[], None]] = field(default_factory=list)
    open_count: int = 0

    def settle(self) -> None:
        """Keep the states that follow from the outputs."""
        for change in self.keep:
            change()


class Trajectories:
    """Assembles trajectories."""

    def __init__(self, kept: Kept[TrajectoryState, Step], settings: ProcessorsSettings) -> None:
        self.kept, self._settings = kept, settings

    def on_step(self, step: Step, raw: bytes, now_ms: int) -> list[Output]:
        """Take a step."""
        key = key_of(step.trajectory_id, step.tenant)
        before = self.kept.get(key)
        after, outputs = assembly.on_step(before, step, now_ms)
        if after is not before:
            if after.closed_ms is None:
                self.kept.put_payload(key, step.step_id, raw)
            self.kept.put(key, after)
        return outputs

    def on_feedback(self, feedback: Feedback, now_ms: int) -> list[Output]:
        """Take a statement."""
        key = key_of(feedback.trajectory_id, feedback.tenant)
        before = self.kept.get(key)
        after, outputs = assembly.on_feedback(before, feedback, now_ms)
        if after is not before:
            self.kept.put(key, after)
        return outputs

    def due(self, now_ms: int, settled: Settled) -> Due:
        """Trajectories that close now."""
        due = Due()
        for key, state in self.kept.open_items():
            settled_ms = settled(owner_of(key))
            if settled_ms is None:
                continue
            if closed_by := assembly.closing_reason(state, now_ms, settled_ms, self._settings):
                self._close(key, state, closed_by, now_ms, due)
            due.open_count += 1
        return due

    def _close(self, key: bytes, state: TrajectoryState, closed_by: str, now_ms: int, due: Due) -> None:
        steps = self.kept.payloads(key, state.step_ids)
        closed, outputs = closing.close(state, steps, closed_by, now_ms)
        due.outputs += outputs
        due.keep.append(lambda: self.kept.put(key, closed))
        due.keep.append(lambda: self.kept.drop_payloads(key, state.step_ids))


class Groups:
    """Assembles groups."""

    def __init__(self, kept: Kept[GroupState, Trajectory], settings: ProcessorsSettings) -> None:
        self.kept, self._settings = kept, settings

    def on_trajectory(self, trajectory: Trajectory, raw: bytes, now_ms: int) -> list[Output]:
        """Take a closed trajectory."""
        key = key_of(trajectory.group_id, trajectory.tenant, trajectory.channel)
        before = self.kept.get(key)
        after, outputs = grouping.on_trajectory(before, trajectory, now_ms, self._settings)
        if after is not before:
            if after.closed_ms is None:
                self.kept.put_payload(key, trajectory.trajectory_id, raw)
            self.kept.put(key, after)
        return outputs

    def due(self, now_ms: int, settled: Settled) -> Due:
        """Groups that close now."""
        due = Due()
        for key, state in self.kept.open_items():
            settled_ms = settled(owner_of(key))
            if settled_ms is None:
                continue
            if closed_by := grouping.closing_reason(state, now_ms, settled_ms, self._settings):
                self._close(key, state, closed_by, now_ms, due)
            due.open_count += 1
        return due

    def _close(self, key: bytes, state: GroupState, closed_by: str, now_ms: int, due: Due) -> None:
        members = self.kept.payloads(key, state.member_ids)
        closed, outputs = grouping.close(state, members, closed_by, now_ms)
        due.outputs += outputs
        due.keep.append(lambda: self.kept.put(key, closed))
        due.keep.append(lambda: self.kept.drop_payloads(key, state.member_ids))


def forget_old(kept: Kept[Any, Any], moment_ms: int, settled: Settled) -> None:
    """Forget what was closed before ``moment_ms``, where it is this worker's."""
    for key in kept.closed_before(moment_ms):
        if settled(owner_of(key)) is not None:
            kept.forget(key)
