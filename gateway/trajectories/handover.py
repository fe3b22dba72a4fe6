"""Steps that other gateway processes wrote, so that a trajectory keeps its exact tokens wherever its next call goes.

Invariant: the log is what is handed over; there is no other channel, so a process that was killed hands over as well
as one that lives. Records stay as raw bytes, bounded in all, and are decoded only when a call of their trajectory
comes::

    gateway A   step 1 ──────────────> steps ──> gateway B (raw)         A is killed
    gateway B                          a call of that trajectory: step 1 is decoded, its tokens are gone on from
"""

import contextlib
import threading
from collections import OrderedDict

import msgspec

from clawstream.gateway.callers.identity import scope_of
from clawstream.gateway.log.ledger import WRITER, tenant_in
from clawstream.gateway.tokens.history import NO_HISTORY, answer_message, history_of, settings_digest, tools_digest
from clawstream.gateway.tokens.integrity import is_exact
from clawstream.gateway.tokens.media import NO_MEDIA, media_digests
from clawstream.gateway.tokens.prefix import Known, PrefixStore
from clawstream.gateway.trajectories.following import Following
from clawstream.gateway.trajectories.seen import Seen
from clawstream.schemas import CodecError, Step, decode
from clawstream.streams.reading.tail import RawRecord, Tail


class Others:
    """Raw steps of other processes, by trajectory. A thread adds, the event loop takes."""

    def __init__(self, max_bytes: int, writer: str) -> None:
        """``writer``: this process, whose own records are left out."""
        self._max_bytes, self._writer = max_bytes, writer.encode()
        self._lock = threading.Lock()
        self._steps: OrderedDict[str, list[bytes]] = OrderedDict()
        self._bytes = 0

    @property
    def held_bytes(self) -> int:
        """Bytes held."""
        return self._bytes

    def add(self, record: RawRecord) -> None:
        """Keep a record; the trajectories that were written longest ago make room."""
        if record.headers.get(WRITER) == self._writer:
            return
        scope = scope_of(tenant_in(record.headers), record.key)
        with self._lock:
            self._steps.setdefault(scope, []).append(record.value)
            self._steps.move_to_end(scope)
            self._bytes += len(record.value)
            while self._bytes > self._max_bytes:
                _, dropped = self._steps.popitem(last=False)
                self._bytes -= sum(map(len, dropped))

    def __contains__(self, scope: str) -> bool:
        return scope in self._steps

    def take(self, scope: str) -> list[bytes]:
        """The trajectory's records in the order of the log; they are the caller's now."""
        with self._lock:
            taken = self._steps.pop(scope, [])
            self._bytes -= sum(map(len, taken))
        return taken


class Handover(Following):
    """Follows ``steps`` and puts what others wrote into ``store`` when it is asked for."""

    def __init__(self, tail: Tail, others: Others, store: PrefixStore, catch_up_seconds: float, seen: Seen) -> None:
        super().__init__(tail, catch_up_seconds)
        self._others, self._store, self._seen = others, store, seen

    def take(self, record: RawRecord) -> None:
        """Keep a step as it lies in the log."""
        self._seen.note(tenant_in(record.headers), record.key)
        self._others.add(record)

    def holds(self, scope: str) -> bool:
        """Have others written steps of the trajectory that are not taken in yet?"""
        return scope in self._others

    def learn(self, scope: str) -> bool:
        """Take in what was written of the trajectory in ``scope``; was there anything?"""
        raw = self._others.take(scope)
        for value in raw:
            with contextlib.suppress(CodecError):  # who reads the log for good buries it
                learn(decode(value, Step), self._store)
        return bool(raw)


def learn(step: Step, store: PrefixStore) -> None:
    """Put ``step`` into ``store``, resolved through its prefix; one whose prefix is not known there is left out."""
    parent, scope = None, scope_of(step.tenant, step.trajectory_id)
    if step.prompt_prefix is not None:
        parent = store.get(scope, step.prompt_prefix.step_id)
        if parent is None:
            return
    if step.turn_type == "main" and is_exact(step.untrainable_reason):
        store.remember(scope, _known(step, parent))


def _known(step: Step, parent: Known | None) -> Known:
    messages, sampling = msgspec.json.decode(step.new_messages_json), msgspec.json.decode(step.sampling_json)
    answer = answer_message(step.text, msgspec.json.decode(step.tool_calls_json or "[]"))
    tools = tools_digest(msgspec.json.decode(step.tools_json)) if step.tools_json is not None else None
    start, shown = (parent.history, parent.media) if parent else (NO_HISTORY, NO_MEDIA)
    first_index = parent.message_count + 1 if parent else 0
    return Known(
        step_id=step.step_id,
        tokens=(parent.tokens if parent else b"") + step.prompt_tokens + step.response_tokens,
        message_count=first_index + len(messages),
        history=NO_HISTORY if parent and not parent.history else history_of(messages, answer, sampling, start),
        media=media_digests(messages, shown, first_index)[-1],
        tools=parent.tools if parent and step.tools_json is None else tools,
        settings=settings_digest(sampling),
        model=step.model,
    )
