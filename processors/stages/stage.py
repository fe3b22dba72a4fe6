"""What the two stages have in common: tables, closing, and the order in which things are kept and sent.

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

from clawstream.processors.output import Output
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.tables import Kept, R, S, owner_of

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
    def close(self, key: bytes, state: S, records: list[R]) -> tuple[S, list[Output]]:
        """What follows from closing it, as was decided: the state to remember, and what is put out."""

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
            if state.closed_ms is not None and settled(owner_of(key)) is not None:
                closed, outputs = self.close(key, state, self.kept.payloads(key, state.names))
                due.outputs += outputs
                due.keep.append(partial(self.kept.put, key, closed))
                due.drop.append(partial(self.kept.drop_payloads, key, state.names + state.more_names))
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
