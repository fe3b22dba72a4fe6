"""Records as if they had been read from topics, without a broker."""

from clawstream.console.index.store import Index
from clawstream.schemas import Record, encode
from clawstream.streams.reading.history import Told
from clawstream.topics import CATALOGUE


def told(record: Record, offset: int = 0) -> Told:
    """``record`` as it was read."""
    (topic,) = [topic for topic in CATALOGUE if topic.record is type(record)]
    return Told(
        topic=topic, partition=0, offset=offset, timestamp_ms=0, value=encode(record), record=record, problem=""
    )


def take(index: Index, *records: Record) -> int:
    """Put ``records`` into ``index``, one transaction each; how many were new."""
    return sum(index.take([told(record, offset)]) for offset, record in enumerate(records))
