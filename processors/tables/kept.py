"""Where states and payloads are kept: what the stages need of a table, whoever keeps it.

Invariant: a key begins with what the source topic is keyed by, so that state lies in the partition of its events.
Payloads have a key each: a change rewrites a small state, never a whole trajectory.
"""

from collections import deque
from collections.abc import MutableMapping
from typing import Generic, TypeVar

import msgspec

from clawstream.processors.tables.agenda import Agenda
from clawstream.processors.tables.cache import RecordCache
from clawstream.schemas import Record, decode

S = TypeVar("S", bound="State")
R = TypeVar("R", bound=Record)
Table = MutableMapping[bytes, bytes]
_SEPARATOR = b"\0"
_CACHED_BYTES = 64 * 1024 * 1024


def key_of(owner: str, *parts: str) -> bytes:
    """The table key of something that belongs to ``owner``, the source topic's key."""
    return _SEPARATOR.join(part.encode() for part in (owner, *parts))


def owner_of(key: bytes) -> bytes:
    """The source topic's key that a table key belongs to."""
    return key.split(_SEPARATOR, 1)[0]


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What every kept state has."""

    closed_ms: int | None = None  # when it was decided to close it; None while it is open
    closed_by: str | None = None  # why
    put_out: bool = False  # has what follows from closing it reached Kafka?

    @property
    def more_names(self) -> tuple[str, ...]:
        """What else is kept beside it, of other types."""
        return ()

    @property
    def names(self) -> tuple[str, ...]:
        """What the records that belong to it are known by, in the order in which they came."""
        raise NotImplementedError


class Kept(Generic[S, R]):
    """States by key, and the records that belong to each.

    States that are not put out are also held decoded, and the others in the order in which they were closed, so that
    looking for what is due costs nothing for what is not. Both follow from the tables: ``forget_index`` drops them when
    tables change under them (a rebalance), ``index`` makes them again.
    """

    def __init__(self, states: Table, payloads: Table, state_type: type[S], record_type: type[R]) -> None:
        self._states, self._payloads = states, payloads
        self._record_type = record_type
        self._decoder = msgspec.msgpack.Decoder(state_type)
        self._encoder = msgspec.msgpack.Encoder()
        self._open: dict[bytes, S] = {}
        self._unwritten: set[bytes] = set()  # open ones whose newest state is not in the table yet
        self.agenda = Agenda()
        self._cache: RecordCache[R] = RecordCache(_CACHED_BYTES)
        self._closed: deque[tuple[int, bytes]] = deque()  # when, and its key

    def forget_index(self) -> None:
        """The tables are about to change."""
        self._open.clear()
        self._unwritten.clear()
        self._closed.clear()
        self.agenda.clear()
        self._cache.clear()

    def index(self) -> None:
        """The tables have changed."""
        self.forget_index()
        closed = []
        for key, packed in list(self._states.items()):
            state = self._decoder.decode(packed)
            if state.put_out:
                closed.append((state.closed_ms or 0, key))
            else:
                self._open[key] = state
                self.agenda.touch(key)
        self._closed.extend(sorted(closed))

    def get(self, key: bytes) -> S | None:
        """The state of ``key``."""
        if (state := self._open.get(key)) is not None:
            return state
        packed = self._states.get(key)
        return None if packed is None else self._decoder.decode(packed)

    def put(self, key: bytes, state: S) -> None:
        """Keep ``state``: in the table at the next ``flush``."""
        if not state.put_out:
            self._open[key] = state
            self._unwritten.add(key)
            self.agenda.touch(key)
            return
        self._unwritten.discard(key)
        self._states[key] = self._encoder.encode(state)
        if self._open.pop(key, None) is not None:
            self.remember(key, state)

    def flush(self) -> None:
        """Write states that have changed into the table, each once."""
        for key in self._unwritten:
            self._states[key] = self._encoder.encode(self._open[key])
        self._unwritten.clear()

    def open_state(self, key: bytes) -> S | None:
        """The state of ``key`` while it is not put out."""
        return self._open.get(key)

    @property
    def open_count(self) -> int:
        """States that are not put out."""
        return len(self._open)

    def open_items(self) -> list[tuple[bytes, S]]:
        """Every state that is not put out."""
        return list(self._open.items())

    def closed_before(self, moment_ms: int, most: int) -> list[tuple[bytes, S]]:
        """States closed before ``moment_ms``, and all but the last ``most``; each is given once, unless it is to be
        remembered on."""
        found = []
        while self._closed and (self._closed[0][0] < moment_ms or len(self._closed) > most):
            key = self._closed.popleft()[1]
            if (state := self.get(key)) is not None:
                found.append((key, state))
        return found

    def remember(self, key: bytes, state: S) -> None:
        """Give ``state`` again when what is closed is asked for."""
        self._closed.append((state.closed_ms or 0, key))

    @property
    def closed_count(self) -> int:
        """Closed states that are still kept."""
        return len(self._closed)

    def put_payload(self, key: bytes, name: str, value: bytes, record: R | None = None) -> None:
        """Keep a record (as the bytes that were read) that belongs to ``key``; decoded too, where it is at hand."""
        at = _payload_key(key, name)
        self._payloads[at] = value
        if record is None:
            self._cache.drop(at)
        else:
            self._cache.put(at, record, len(value))

    def has_payload(self, key: bytes, name: str) -> bool:
        """Is that record kept?"""
        return _payload_key(key, name) in self._payloads

    def payloads(self, key: bytes, names: tuple[str, ...]) -> list[R]:
        """The records of ``names`` that belong to ``key``, in that order."""
        return [record for name in names if (record := self._record(_payload_key(key, name))) is not None]

    def _record(self, at: bytes) -> R | None:
        if (cached := self._cache.get(at)) is not None:
            return cached
        value = self._payloads.get(at)
        return None if value is None else decode(value, self._record_type)

    def payload(self, key: bytes, name: str) -> bytes | None:
        """The bytes of one record that belongs to ``key``, of whatever type."""
        return self._payloads.get(_payload_key(key, name))

    def drop_payloads(self, key: bytes, names: tuple[str, ...]) -> None:
        """Forget the records that belong to ``key``; the state stays."""
        for name in names:
            at = _payload_key(key, name)
            self._payloads.pop(at, None)
            self._cache.drop(at)

    def forget(self, key: bytes, state: S) -> None:
        """Forget ``state``, and records that a crash has left behind."""
        self.drop_payloads(key, state.names + state.more_names)
        self._states.pop(key, None)


def _payload_key(key: bytes, name: str) -> bytes:
    return key + _SEPARATOR + name.encode()
