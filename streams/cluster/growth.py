"""Partitions that were added to topics in use.

Invariant: nobody goes on with them. A key's partition follows from how many there are, so from then on the events of a
trajectory that is open lie in two places, in no order, and with two workers who each know half of it::

    murmur2("t0") % 2 = 0   steps 1 and 2 of t0 -> partition 0, and its state -> changelog 0
    partitions added: 4
    murmur2("t0") % 4 = 2   step 3 of t0 -> partition 2, whose worker has never heard of t0

Kafka keeps no memory of how many there were, but the changelogs of the processors' tables do: they are as many as their
sources had when they were made.
"""

from collections.abc import Iterator, Mapping

from clawstream.streams.cluster.clients import admin_client
from clawstream.streams.errors import PartitionsAddedError
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import STEPS

_TIMEOUT_SECONDS = 30.0
_END = "-changelog"


def require_as_made(settings: KafkaSettings) -> None:
    """Raise ``PartitionsAddedError`` where the processors' tables were made for another number of partitions."""
    counts = partition_counts(settings)
    for changelog, made in changelogs(settings, counts):
        found = counts.get(settings.name(STEPS.name), made)
        if made != found:
            raise PartitionsAddedError(settings.name(STEPS.name), made, f"{found}, as {changelog} tells")


def partition_counts(settings: KafkaSettings) -> dict[str, int]:
    """Partitions of every topic, by its name on the cluster."""
    found = admin_client(settings.client()).list_topics(timeout=_TIMEOUT_SECONDS).topics
    return {name: len(topic.partitions) for name, topic in found.items()}


def changelogs(settings: KafkaSettings, counts: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Those of the processors' tables, and their partitions."""
    start = f"{settings.name('processors')}-"
    return ((name, counts[name]) for name in sorted(counts) if name.startswith(start) and name.endswith(_END))
