"""The records of a recipe, put to their trajectories.

Invariant: every record of the ranges is taken as it lies in the log; what cannot be read is counted, and stops nothing.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec

from clawstream.dataset.facts import Entry
from clawstream.dataset.manifest import Recipe, TopicRange
from clawstream.schemas import CodecError, Feedback, Sample, decode
from clawstream.streams.files.spill import Spill
from clawstream.streams.process.progress import Watch
from clawstream.streams.reading.ranges import Placed, RangeReader
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import FEEDBACK, REWARDS, SAMPLES, STEPS, Topic

READ: dict[str, Topic[Any]] = {topic.name: topic for topic in (STEPS, FEEDBACK, REWARDS, SAMPLES)}
_HEADER_BYTES = 5  # of the wire format: a zero, and the schema's id


@dataclass(kw_only=True)
class Gathered:
    """What was read."""

    records: Counter[str] = field(default_factory=Counter)  # by topic
    schema_ids: dict[str, set[int]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    curated: int = 0


def gather(recipe: Recipe, kafka: KafkaSettings, into: Spill, watch: Watch) -> Gathered:
    """Read the recipe's ranges. Raises ``RangeGoneError`` where the log does not hold them any more."""
    gathered = Gathered()
    total = sum(each.end - each.start for each in recipe.ranges)
    by_topic = dict[tuple[str, str], list[TopicRange]]()
    for each in sorted(recipe.ranges):
        by_topic.setdefault((each.topic, each.prefix), []).append(each)
    for (topic, prefix), ranges in by_topic.items():
        reader = RangeReader(kafka.model_copy(update={"topic_prefix": prefix}), READ[topic].name)
        try:
            for records in reader.read({each.partition: (each.start, each.end) for each in ranges}):
                for placed in records:
                    _take(topic, placed, gathered, into)
                watch("reading", gathered.records.total(), total)
        finally:
            reader.close()
    return gathered


def _take(topic: str, placed: Placed, gathered: Gathered, into: Spill) -> None:
    gathered.records[topic] += 1
    if placed.value is None:
        return  # a tombstone
    try:
        key = _trajectory(topic, placed.key, placed.value, gathered)
    except CodecError:
        gathered.left_out["unreadable"] += 1
        return
    gathered.schema_ids.setdefault(topic, set()).add(int.from_bytes(placed.value[1:_HEADER_BYTES]))
    entry = Entry(topic=topic, partition=placed.partition, offset=placed.offset, value=placed.value)
    into.add(msgspec.msgpack.encode(entry), key)


def _trajectory(topic: str, key: bytes | None, value: bytes, gathered: Gathered) -> bytes:
    """The trajectory that a record is about: its key, but of samples, whose key is their group."""
    if topic == SAMPLES.name:
        return decode(value, Sample).trajectory_id.encode()
    if topic == FEEDBACK.name:
        feedback = decode(value, Feedback)
        gathered.curated += feedback.kind == "curated"
        return feedback.trajectory_id.encode()
    return decode(value, READ[topic].record).trajectory_id.encode() if key is None else key
