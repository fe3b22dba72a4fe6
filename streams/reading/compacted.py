"""Compacted topics as the tables that they are: the newest value of each key."""

from collections.abc import Callable, Container

from clawstream.streams.reading.ranges import RangeReader
from clawstream.streams.settings import KafkaSettings


def newest(
    settings: KafkaSettings,
    topic: str,
    partitions: Container[int] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> dict[bytes, bytes]:
    """The newest value of each key of ``topic`` (its bare name) up to its present end, without keys that are gone.

    ``partitions``: only of these; all where it is None. Half of it once ``stopped`` says so. Raises
    ``KafkaUnreachableError``.
    """
    found = dict[bytes, bytes]()
    reader = RangeReader(settings, topic)
    try:
        ranges = reader.present()
        for records in reader.read({p: ranges[p] for p in ranges if partitions is None or p in partitions}):
            if stopped():
                break
            for record in records:
                if record.key is None:
                    continue
                if record.value is None:
                    found.pop(record.key, None)
                else:
                    found[record.key] = record.value
    finally:
        reader.close()
    return found
