"""What the two stages have in common: tables, closing, and the order in which things are kept and sent.

Invariant: what is put out never changes its mind. Closing is decided and kept first (``decide``), then put out
(``due``), then marked as put out (``settle``), and only then are the bytes dropped (``clean_up``), each once the one
before is acknowledged by Kafka. A crash between repeats outputs with the same ids and content, and loses none::

    decide -> acknowledged -> due: outputs -> acknowledged -> settle -> acknowledged -> clean up
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Generic

from msgspec.structs import replace

from clawstream.processors.readiness.output import Output
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.tables.kept import Kept, R, S, owner_of

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
        self.newest: Mapping[str, int] = {}  # version of each model, as far as it is known and matters
        self._ripe: dict[bytes, None] = {}  # those of which something is to be put out

    @abstractmethod
    def closing_reason(self, state: S, now_ms: int, settled_ms: int) -> str | None:
        """Why it closes now; None while it stays open."""

    @abstractmethod
    def close(self, key: bytes, state: S, records: list[R]) -> tuple[S, list[Output]]:
        """What follows from closing it, as was decided: the state to remember, and what is put out."""

    @abstractmethod
    def look_again_ms(self, state: S, now_ms: int, settled_ms: int) -> int:
        """When something may be due of what is not closed now, unless it changes before."""

    def decide(self, now_ms: int, settled: Settled) -> None:
        """Close what is to be closed now, of what has changed or has a deadline."""
        for key in self.kept.agenda.take(now_ms):
            state, settled_ms = self.kept.open_state(key), settled(owner_of(key))
            if state is None or settled_ms is None:
                continue
            if state.closed_ms is None:
                state = self._looked_at(key, state, now_ms, settled_ms)
            if state.closed_ms is None and (closed_by := self.closing_reason(state, now_ms, settled_ms)):
                if not self._is_whole(key, state):
                    continue  # what is read again touches it
                state = self._decided(key, replace(state, closed_ms=now_ms, closed_by=closed_by))
                self.kept.put(key, state)
            if state.closed_ms is not None:
                self._ripe[key] = None
            else:
                self.kept.agenda.look_at(key, self.look_again_ms(state, now_ms, settled_ms))

    def _decided(self, _key: bytes, state: S) -> S:
        """``state``, which is to close, with what else was decided then."""
        return state

    def _is_whole(self, key: bytes, state: S) -> bool:
        """Are the bytes of its records here? A crash between two tables leaves them out; they are read again."""
        return all(self.kept.has_payload(key, name) for name in state.names)

    def _looked_at(self, _key: bytes, state: S, _now_ms: int, _settled_ms: int) -> S:
        """What else is to be decided of an open state."""
        return state

    def due(self, settled: Settled) -> Due:
        """What follows from what is closed and not put out."""
        due, ripe = Due(), self._ripe
        self._ripe = {}
        for key in ripe:
            state = self.kept.open_state(key)
            if state is None or settled(owner_of(key)) is None:
                continue
            if state.closed_ms is None:
                self._put_out_open(key, state, due, settled)
                continue
            closed, outputs = self.close(key, state, self.kept.payloads(key, state.names))
            due.outputs += outputs
            due.keep.append(partial(self.kept.put, key, closed))
            due.drop.append(partial(self.kept.drop_payloads, key, state.names + state.more_names))
        return due

    def _put_out_open(self, key: bytes, state: S, due: Due, settled: Settled) -> None:
        """What follows from a state that stays open."""

    def forget_old(self, moment_ms: int, settled: Settled) -> None:
        """Forget what was closed before ``moment_ms``, and what is too much to remember, unless events from before
        that may still come."""
        for key, state in self.kept.closed_before(moment_ms, self._settings.memory_trajectories):
            settled_ms, closed_ms = settled(owner_of(key)), state.closed_ms or 0
            if settled_ms is None or settled_ms < (moment_ms if closed_ms < moment_ms else closed_ms):
                self.kept.remember(key, state)
            else:
                self.kept.forget(key, state)

    def _taken(
        self, key: bytes, before: S | None, after: S, outputs: list[Output], name: str, raw: bytes, record: R
    ) -> Due:
        """What follows from a record. One that is known is kept again when its bytes were lost between two tables."""
        due = Due(outputs=outputs)
        is_missing = after.closed_ms is None and not self.kept.has_payload(key, name)
        if is_missing:
            due.keep.append(partial(self.kept.put_payload, key, name, raw, record))
        if is_missing or after is not before:
            due.keep.append(partial(self.kept.put, key, after))
        return due
