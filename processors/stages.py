"""The two stages over their tables: what to do with a record, and what to do when time passes.

Invariant: what is put out never changes its mind. Closing is decided and kept first (``decide``), then put out
(``due``), then marked as put out (``settle``), each once the one before is acknowledged by Kafka. A crash between
repeats outputs with the same ids and the same content, and loses none::

    decide -> acknowledged -> due: outputs -> acknowledged -> settle -> acknowledged
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from clawstream.processors import assembly, closing, grouping
from clawstream.processors.assembly import TrajectoryState
from clawstream.processors.grouping import GroupState, member_name
from clawstream.processors.output import Output
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.tables import Kept, key_of, owner_of
from clawstream.schemas import Feedback, Step, Trajectory

Settled = Callable[[bytes], int | None]  # owner -> time (ms) up to which its events were taken; None: not this worker's


@dataclass(kw_only=True)
class Due:
    """What is to be put out now, and what is to be kept once that is acknowledged."""

    outputs: list[Output] = field(default_factory=list)
    keep: list[Callable[[], None]] = field(default_factory=list)

    def settle(self) -> None:
        """Keep the states that follow from the outputs."""
        for change in self.keep:
            change()


class Trajectories:
    """Assembles trajectories."""

    def __init__(self, kept: Kept[TrajectoryState, Step], settings: ProcessorsSettings) -> None:
        self.kept, self._settings = kept, settings

    def on_step(self, step: Step, raw: bytes, now_ms: int) -> Due:
        """Take a step. One that is known is kept again when its bytes were lost between two tables."""
        key = key_of(step.trajectory_id, step.tenant)
        before = self.kept.get(key)
        after, outputs = assembly.on_step(before, step, now_ms)
        due = Due(outputs=outputs)
        if after.closed_ms is None and not self.kept.has_payload(key, step.step_id):
            due.keep.append(lambda: self.kept.put_payload(key, step.step_id, raw))
        if after is not before:
            due.keep.append(lambda: self.kept.put(key, after))
        return due

    def on_feedback(self, feedback: Feedback, now_ms: int) -> Due:
        """Take a statement."""
        key = key_of(feedback.trajectory_id, feedback.tenant)
        before = self.kept.get(key)
        after, outputs = assembly.on_feedback(before, feedback, now_ms)
        return Due(outputs=outputs, keep=[] if after is before else [lambda: self.kept.put(key, after)])

    def decide(self, now_ms: int, settled: Settled) -> None:
        """Close what is to be closed now."""
        for key, state in self.kept.open_items():
            settled_ms = settled(owner_of(key))
            if settled_ms is not None and (
                closed_by := assembly.closing_reason(state, now_ms, settled_ms, self._settings)
            ):
                self.kept.put(key, replace(state, closed_ms=now_ms, closed_by=closed_by))

    def due(self, settled: Settled) -> Due:
        """What follows from trajectories that are closed and not put out."""
        due = Due()
        for key, state in self.kept.open_items():
            if state.closed_ms is not None and state.closed_by is not None and settled(owner_of(key)) is not None:
                steps = self.kept.payloads(key, state.step_ids)
                closed, outputs = closing.close(state, steps, state.closed_by, state.closed_ms)
                due.outputs += outputs
                due.keep += _put_out(self.kept, key, closed, state.step_ids)
        return due


class Groups:
    """Assembles groups."""

    def __init__(self, kept: Kept[GroupState, Trajectory], settings: ProcessorsSettings) -> None:
        self.kept, self._settings = kept, settings

    def on_trajectory(self, trajectory: Trajectory, raw: bytes, now_ms: int) -> Due:
        """Take a closed trajectory."""
        key, name = key_of(trajectory.group_id, trajectory.tenant, trajectory.channel), member_name(trajectory)
        before = self.kept.get(key)
        after, outputs = grouping.on_trajectory(before, trajectory, now_ms, self._settings)
        due = Due(outputs=outputs)
        if after.closed_ms is None and not self.kept.has_payload(key, name):
            due.keep.append(lambda: self.kept.put_payload(key, name, raw))
        if after is not before:
            due.keep.append(lambda: self.kept.put(key, after))
        return due

    def decide(self, now_ms: int, settled: Settled) -> None:
        """Close what is to be closed now."""
        for key, state in self.kept.open_items():
            settled_ms = settled(owner_of(key))
            if settled_ms is not None and (
                closed_by := grouping.closing_reason(state, now_ms, settled_ms, self._settings)
            ):
                self.kept.put(key, replace(state, closed_ms=now_ms, closed_by=closed_by))

    def due(self, settled: Settled) -> Due:
        """What follows from groups that are closed and not put out."""
        due = Due()
        for key, state in self.kept.open_items():
            if state.closed_ms is not None and state.closed_by is not None and settled(owner_of(key)) is not None:
                members = self.kept.payloads(key, state.member_names)
                closed, outputs = grouping.close(state, members, state.closed_by, state.closed_ms)
                due.outputs += outputs
                due.keep += _put_out(self.kept, key, closed, state.member_names)
        return due


def _put_out(kept: Kept[Any, Any], key: bytes, closed: Any, names: tuple[str, ...]) -> list[Callable[[], None]]:
    return [lambda: kept.put(key, closed), lambda: kept.drop_payloads(key, names)]


def forget_old(kept: Kept[Any, Any], moment_ms: int, settled: Settled) -> None:
    """Forget what was closed before ``moment_ms``, where it is this worker's."""
    for key in kept.closed_before(moment_ms):
        if settled(owner_of(key)) is not None:
            kept.forget(key)
