"""The two stages over their tables: what to do with a record, and what to do when time passes.

Invariant: what is put out never changes its mind. Closing is decided and kept first (``decide``), then put out
(``due``), then marked as put out (``settle``), and only then are the bytes dropped (``clean_up``), each once the one
before is acknowledged by Kafka. A crash between repeats outputs with the same ids and content, and loses none::

    decide -> acknowledged -> due: outputs -> acknowledged -> settle -> acknowledged -> clean up
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Generic

from msgspec.structs import replace

from clawstream.processors import assembly, closing, grouping
from clawstream.processors.assembly import TrajectoryState
from clawstream.processors.grouping import GroupState, member_name
from clawstream.processors.metrics import TOO_LATE
from clawstream.processors.output import Output
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.tables import Kept, R, S, key_of, owner_of
from clawstream.schemas import Feedback, Step, Trajectory, encode

Settled = Callable[[bytes], int | None]  # owner -> time (ms) up to which its events were taken; None: not this worker's


@dataclass(kw_only=True)
class Due:
    """What is to be put out now, what is to be kept once that is acknowledged, and what can go then."""

    outputs: list[Output] = field(default_factory=list)
    keep: list[Callable[[], None]] = field(default_factory=list)
    drop: list[Callable[[], None]] = field(default_factory=list)

    def settle(self) -> None:
        """Keep the states that follow from the outputs."""
        for change in self.keep:
            change()

    def clean_up(self) -> None:
        """Drop what those states no longer need."""
        for change in self.drop:
            change()


class Stage(ABC, Generic[S, R]):
    """Assembles something out of records, closes it when it is time, and forgets it later."""

    def __init__(self, kept: Kept[S, R], settings: ProcessorsSettings) -> None:
        self.kept, self._settings = kept, settings

    @abstractmethod
    def closing_reason(self, state: S, now_ms: int, settled_ms: int) -> str | None:
        """Why it closes now; None while it stays open."""

    @abstractmethod
    def close(self, state: S, records: list[R], closed_by: str, closed_ms: int) -> tuple[S, list[Output]]:
        """What follows from closing it: the state to remember, and what is put out."""

    def decide(self, now_ms: int, settled: Settled) -> None:
        """Close what is to be closed now."""
        for key, state in self.kept.open_items():
            settled_ms = settled(owner_of(key))
            if settled_ms is not None and (closed_by := self.closing_reason(state, now_ms, settled_ms)):
                self.kept.put(key, replace(state, closed_ms=now_ms, closed_by=closed_by))

    def due(self, settled: Settled) -> Due:
        """What follows from what is closed and not put out."""
        due = Due()
        for key, state in self.kept.open_items():
            if state.closed_ms is not None and state.closed_by is not None and settled(owner_of(key)) is not None:
                records = self.kept.payloads(key, state.names)
                closed, outputs = self.close(state, records, state.closed_by, state.closed_ms)
                due.outputs += outputs
                due.keep.append(partial(self.kept.put, key, closed))
                due.drop.append(partial(self.kept.drop_payloads, key, state.names))
        return due

    def forget_old(self, moment_ms: int, settled: Settled) -> None:
        """Forget what was closed before ``moment_ms``, unless events from before that moment may still come."""
        for key, state in self.kept.closed_before(moment_ms):
            settled_ms = settled(owner_of(key))
            if settled_ms is None:
                continue
            if settled_ms < moment_ms:
                self.kept.remember(key, state)
            else:
                self.kept.forget(key, state)

    def _taken(self, key: bytes, before: S | None, after: S, outputs: list[Output], name: str, raw: bytes) -> Due:
        """What follows from a record. One that is known is kept again when its bytes were lost between two tables."""
        due = Due(outputs=outputs)
        if after.closed_ms is None and not self.kept.has_payload(key, name):
            due.keep.append(partial(self.kept.put_payload, key, name, raw))
        if after is not before:
            due.keep.append(partial(self.kept.put, key, after))
        return due


class Trajectories(Stage[TrajectoryState, Step]):
    """Steps and feedback become trajectories."""

    def on_step(self, step: Step, raw: bytes, now_ms: int) -> Due:
        """Take a step."""
        key = key_of(step.trajectory_id, step.tenant)
        before = self.kept.get(key)
        after, outputs = assembly.on_step(
            before, step, now_ms, lambda: self.kept.payloads(key, before.step_ids) if before else []
        )
        return self._taken(key, before, after, outputs, step.step_id, raw)

    def on_feedback(self, feedback: Feedback, now_ms: int) -> Due:
        """Take a statement."""
        key = key_of(feedback.trajectory_id, feedback.tenant)
        before = self.kept.get(key)
        after, outputs = assembly.on_feedback(before, feedback, now_ms)
        return Due(outputs=outputs, keep=[] if after is before else [partial(self.kept.put, key, after)])

    def closing_reason(self, state: TrajectoryState, now_ms: int, settled_ms: int) -> str | None:
        """As in ``assembly``."""
        return assembly.closing_reason(state, now_ms, settled_ms, self._settings)

    def due(self, settled: Settled) -> Due:
        """Also the next states of observations that named no step."""
        due = super().due(settled)
        for key, state in self.kept.open_items():
            if state.observed and state.closed_ms is None and (settled_ms := settled(owner_of(key))) is not None:
                attributed, outputs = assembly.attribute(state, settled_ms)
                if attributed is not state:
                    due.outputs += outputs
                    due.keep.append(partial(self.kept.put, key, attributed))
        return due

    def close(
        self, state: TrajectoryState, records: list[Step], closed_by: str, closed_ms: int
    ) -> tuple[TrajectoryState, list[Output]]:
        """As in ``closing``."""
        return closing.close(state, records, closed_by, closed_ms, self._settings.max_trajectory_bytes)


class Groups(Stage[GroupState, Trajectory]):
    """Trajectories become groups, and groups samples."""

    def on_trajectory(self, trajectory: Trajectory, raw: bytes, now_ms: int) -> Due:
        """Take a closed trajectory."""
        key = key_of(trajectory.group_id, trajectory.tenant, trajectory.channel)
        before = self.kept.get(key)
        if trajectory.amends:
            return self._amended(key, before, trajectory)
        after, outputs = grouping.on_trajectory(before, trajectory, now_ms, self._settings)
        return self._taken(key, before, after, outputs, member_name(trajectory), raw)

    def _amended(self, key: bytes, state: GroupState | None, amendment: Trajectory) -> Due:
        """Rewards and exclusions join the member while its group is open; the same again changes nothing."""
        name = member_name(amendment)
        if state is None or state.closed_ms is not None or name not in state.member_names:
            TOO_LATE.inc()
            return Due()
        (member,) = self.kept.payloads(key, (name,))
        merged = encode(grouping.amended(member, amendment))
        return Due(keep=[partial(self.kept.put_payload, key, name, merged)])

    def closing_reason(self, state: GroupState, now_ms: int, settled_ms: int) -> str | None:
        """As in ``grouping``."""
        return grouping.closing_reason(state, now_ms, settled_ms, self._settings)

    def close(
        self, state: GroupState, records: list[Trajectory], closed_by: str, closed_ms: int
    ) -> tuple[GroupState, list[Output]]:
        """As in ``grouping``."""
        return grouping.close(state, records, closed_by, closed_ms, self._settings)
