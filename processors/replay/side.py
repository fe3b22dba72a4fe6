"""Side topics: a pipeline's topics under a prefix of their own, written by one replay.

Invariant: only the replay that began them writes them; another one is refused, so a derived topic has one writer and
one meaning. Which replay that is, and how far it has come, are bookmarks of its own consumer group::

    clawstream replay --into rejudged      group replay-rejudged; topics rejudged-rewards, rejudged-samples, …
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from clawstream.streams.cluster.admin import create_missing
from clawstream.streams.errors import StreamError
from clawstream.streams.lag.groups import LagReader
from clawstream.streams.reading.bookmarks import Bookmark, Bookmarks
from clawstream.streams.reading.ranges import Ranges
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import CATALOGUE, Topic

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]*")


class ReplayError(StreamError):
    """A replay that must not begin; the message says what to do."""


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    """Of one partition of what is replayed."""

    plan: str  # digest of what is asked
    start: int
    end: int
    done: int = 0  # groups, or records of this partition


class Side:
    """The side topics of one replay; close it at the end."""

    def __init__(
        self, kafka: KafkaSettings, into: str, sources: tuple[Topic[Any], ...], plan: Mapping[str, Any]
    ) -> None:
        """``plan``: all that decides what is written. Raises ``ReplayError`` for topics of another replay."""
        if not _NAME.fullmatch(into):
            raise ReplayError(f"{into!r} is no name for side topics: letters, digits, dots and underscores")
        self.kafka = kafka.model_copy(update={"topic_prefix": kafka.name(f"{into}-")})
        self._sources = sources
        self._plan = hashlib.sha256(msgspec.json.encode(plan, order="deterministic")).hexdigest()[:32]
        self._marks = Bookmarks(kafka, f"replay-{into}")
        create_missing(self.kafka)
        self._notes = {
            place: msgspec.json.decode(mark.note, type=_Note) for place, mark in self._marks.read(sources).items()
        }
        self._check(into)

    @property
    def begun(self) -> dict[str, dict[int, tuple[int, int]]]:
        """The ranges that it began with, by topic; empty where it begins now."""
        found: dict[str, dict[int, tuple[int, int]]] = (
            {topic.name: {} for topic in self._sources} if self._notes else {}
        )
        for (topic, partition), note in self._notes.items():
            found[topic][partition] = (note.start, note.end)
        return found

    @property
    def done(self) -> int:
        """Groups that were replayed."""
        return max((note.done for note in self._notes.values()), default=0)

    def done_of(self, partition: int, topic: Topic[Any]) -> int:
        """Records of a partition that were copied."""
        note = self._notes.get((topic.name, partition))
        return note.done if note else 0

    def begin(self, ranges: Mapping[str, Ranges]) -> Mapping[str, Ranges]:
        """Remember what is replayed, and return it."""
        for topic, each in ranges.items():
            for partition, (start, end) in each.items():
                self._notes[topic, partition] = _Note(plan=self._plan, start=start, end=end)
        self._write({place: note.start for place, note in self._notes.items()})
        return ranges

    def reached(self, done: int, share: float) -> None:
        """So many groups are replayed, a ``share`` of what there is; the lag shows what is left."""
        self._notes = {place: msgspec.structs.replace(note, done=done) for place, note in self._notes.items()}
        self._write({place: round(note.start + share * (note.end - note.start)) for place, note in self._notes.items()})

    def reached_offsets(self, topic: Topic[Any], next_offsets: Mapping[int, int]) -> None:
        """Everything before these offsets is copied."""
        for partition, offset in next_offsets.items():
            note = self._notes[topic.name, partition]
            self._notes[topic.name, partition] = msgspec.structs.replace(note, done=offset - note.start)
        self._write({(topic.name, partition): offset for partition, offset in next_offsets.items()})

    def close(self) -> None:
        """Close the connection."""
        self._marks.close()

    def _write(self, offsets: Mapping[tuple[str, int], int]) -> None:
        marks = {
            place: Bookmark(offset=offset, note=msgspec.json.encode(self._notes[place]).decode())
            for place, offset in offsets.items()
        }
        if marks:
            self._marks.write(marks)

    def _check(self, into: str) -> None:
        others = {note.plan for note in self._notes.values()} - {self._plan}
        written = (
            0 if self._notes else sum(sum(each.values()) for each in LagReader(self.kafka).ends(CATALOGUE).values())
        )
        if others or written:
            raise ReplayError(
                f"the topics {self.kafka.topic_prefix}* hold what another replay, or somebody else, has written; "
                f"choose another name than {into}, or ask exactly what was asked then to go on with it"
            )
