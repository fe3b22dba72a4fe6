"""``clawstream replay --copy``: records of one topic as they are, into the same topic under another prefix.

Invariant: the copy of a record is the same bytes under the same key, in the same order, unless another policy version
is asked for. A copy that was killed goes on behind the last record that it marked; those that it had sent after that
are sent again, and consumers drop repeats by their ids.
"""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from clawstream.processors.replay.pacing import Pace
from clawstream.processors.replay.selection import Selection
from clawstream.processors.replay.side import Side
from clawstream.schemas import CodecError, PolicySpan, Sample, Sequence, decode, encode
from clawstream.streams.cluster.admin import wait_for_kafka
from clawstream.streams.process.progress import shown
from clawstream.streams.reading.ranges import Placed, RangeReader, Ranges
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import Topic


@dataclass(frozen=True, kw_only=True)
class Copy:
    """What is asked."""

    topic: Topic[Any]
    into: str
    selection: Selection = field(default_factory=Selection)
    as_version: int | None = None  # of the policy, that samples say they are from
    rate: float = 0.0  # records a second, at most; 0: as fast as it goes


def run(kafka: KafkaSettings, copy: Copy) -> int:
    """Copy, and return the exit status."""
    wait_for_kafka(kafka)
    with ExitStack() as stack:
        watch = stack.enter_context(shown())
        plan = {"copy": copy.topic.name, "asked": copy.selection.described(), "as_version": copy.as_version}
        side = Side(kafka, copy.into, (copy.topic,), plan)
        stack.callback(side.close)
        reader = RangeReader(kafka, copy.topic.name)
        stack.callback(reader.close)
        ranges = (side.begun or side.begin({copy.topic.name: _asked(reader, copy)}))[copy.topic.name]
        left = {p: (start + side.done_of(p, copy.topic), end) for p, (start, end) in ranges.items()}
        producer = Producer(side.kafka, "replay")
        stack.callback(producer.close)
        pace, total = Pace(copy.rate), sum(end - start for start, end in ranges.values())
        done = total - sum(end - start for start, end in left.values())
        for records in reader.read(left):
            batch = producer.batch()
            for placed, value in _taken(records, copy):
                batch.send_bytes(side.kafka.name(copy.topic.name), placed.key, value)
            batch.sent().result()
            side.reached_offsets(copy.topic, {placed.partition: placed.offset + 1 for placed in records})
            done += len(records)
            watch("copying", done, total)
            asyncio.run(pace.took(len(records)))
    return 0


def with_version(sample: Sample, version: int) -> Sample:
    """``sample`` as if the policy ``version`` had sampled it, for a trainer that begins from another model, whatever
    that one's name is.

    Its log-probabilities stay those of the policy that did, and they are what a correction looks at.
    """
    return replace(sample, sequences=[_with_version(sequence, version) for sequence in sample.sequences])


def _with_version(sequence: Sequence, version: int) -> Sequence:
    spans = [PolicySpan(version=version, start=span.start, end=span.end) for span in sequence.policy_spans]
    responses = [replace(span, model="") for span in sequence.responses]
    return replace(sequence, policy_spans=spans, responses=responses)


def _asked(reader: RangeReader, copy: Copy) -> Ranges:
    """The ranges that are asked for, by offsets or by the times of Kafka's records."""
    if (named := copy.selection.offsets.get(copy.topic.name)) is not None:
        return named
    return reader.present(copy.selection.since, copy.selection.until)


def _taken(records: list[Placed], copy: Copy) -> Iterator[tuple[Placed, bytes]]:
    """The records that are asked for, as they are written."""
    is_whole = not copy.selection.where and not copy.selection.trajectories and copy.as_version is None
    for placed in records:
        if placed.value is None:
            continue
        if is_whole:
            yield placed, placed.value
            continue
        try:
            record = decode(placed.value, copy.topic.record)
        except CodecError:
            continue  # its readers bury it
        if copy.selection.takes_record(record):
            changes = isinstance(record, Sample) and copy.as_version is not None
            yield placed, encode(with_version(record, copy.as_version or 0)) if changes else placed.value
