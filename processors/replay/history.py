"""Recorded steps and feedback, group by group, in bounded memory.

Invariant: an event that was submitted twice is one; the groups come in an order that follows from their names alone, so
whoever stops after some of them and reads the same ranges again knows which are left.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from clawstream.processors.readiness.assembly import Event
from clawstream.processors.replay.selection import Placed, Selection
from clawstream.schemas import CodecError, Feedback, Step, decode, encode
from clawstream.streams.files.spill import Spill
from clawstream.streams.process.progress import Watch
from clawstream.streams.reading.ranges import RangeReader, Ranges
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import FEEDBACK, STEPS, Topic

READ: tuple[Topic[Any], ...] = (STEPS, FEEDBACK)


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    is_step: bool
    partition: int
    offset: int
    value: bytes


def present(kafka: KafkaSettings, topics: tuple[Topic[Any], ...] = READ) -> dict[str, dict[int, tuple[int, int]]]:
    """What the log holds now of each topic."""
    found = {}
    for topic in topics:
        reader = RangeReader(kafka, topic.name)
        try:
            found[topic.name] = reader.present()
        finally:
            reader.close()
    return found


class History:
    """The events of some ranges, read once; :meth:`groups` then hands them out once."""

    def __init__(
        self,
        kafka: KafkaSettings,
        ranges: Mapping[str, Ranges],
        selection: Selection,
        folder: Path,
        watch: Watch,
    ) -> None:
        """Read ``ranges``, and keep what ``selection`` takes in files below ``folder``."""
        read, self._groups = Spill(folder / "events"), Spill(folder / "groups")
        total = sum(end - start for each in ranges.values() for start, end in each.values())
        for topic in READ:
            self._read(kafka, topic, ranges[topic.name], selection, read, total, watch)
        for packed in read.groups():
            for trajectory in _trajectories(packed):
                if selection.takes(trajectory):
                    self._keep(trajectory)
        self.event_count = self._groups.item_count

    def groups(self) -> Iterator[list[Event]]:
        """The events of each group."""
        for packed in self._groups.groups():
            yield [_event_of(msgspec.msgpack.decode(item, type=_Entry)) for item in packed]

    def _read(
        self,
        kafka: KafkaSettings,
        topic: Topic[Any],
        ranges: Ranges,
        selection: Selection,
        into: Spill,
        total: int,
        watch: Watch,
    ) -> None:
        reader, done = RangeReader(kafka, topic.name), into.item_count
        try:
            for records in reader.read(ranges):
                for record in records:
                    if record.value is None or record.key is None:
                        continue
                    if not selection.trajectories or record.key.decode(errors="replace") in selection.trajectories:
                        entry = _Entry(topic is STEPS, record.partition, record.offset, record.value)
                        into.add(msgspec.msgpack.encode(entry), record.key)
                done += len(records)
                watch("reading", min(done, total), total)
        finally:
            reader.close()

    def _keep(self, trajectory: list[Placed]) -> None:
        """To its group: that of its first step, or the one that feedback names where it has none."""
        steps = [placed.event for placed in trajectory if isinstance(placed.event, Step)]
        first = steps[0] if steps else trajectory[0].event
        for placed in trajectory:
            entry = _Entry(isinstance(placed.event, Step), placed.partition, placed.offset, encode(placed.event))
            self._groups.add(msgspec.msgpack.encode(entry), f"{first.tenant}\0{first.group_id}".encode())


def _trajectories(packed: list[bytes]) -> Iterator[list[Placed]]:
    """The events of one key by tenant, each once; what cannot be read is left out, as everywhere."""
    entries = [msgspec.msgpack.decode(item, type=_Entry) for item in packed]
    found, seen = dict[str, list[Placed]](), set[tuple[str, str]]()
    for entry in sorted(entries, key=lambda entry: (not entry.is_step, entry.partition, entry.offset)):
        try:
            event = _event_of(entry)
        except CodecError:
            continue
        name = event.step_id if isinstance(event, Step) else event.feedback_id
        if (event.tenant, name) not in seen:
            seen.add((event.tenant, name))
            placed = Placed(partition=entry.partition, offset=entry.offset, event=event)
            found.setdefault(event.tenant, []).append(placed)
    yield from (found[tenant] for tenant in sorted(found))


def _event_of(entry: _Entry) -> Event:
    return decode(entry.value, Step) if entry.is_step else decode(entry.value, Feedback)
