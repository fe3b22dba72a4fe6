"""What topics are there: partitions, replicas, how long records are kept, how many there are, and how much they take.

Invariant: only what the cluster says; a size that nobody may ask for is left out, and not taken for zero.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from confluent_kafka import TopicPartition
from confluent_kafka.admin import ConfigResource, OffsetSpec  # type: ignore[attr-defined]

from clawstream.streams.cluster.admin import wanted_topics
from clawstream.streams.cluster.clients import admin_client
from clawstream.streams.cluster.growth import changelogs
from clawstream.streams.cluster.patience import patiently
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import DAY_MS

_TIMEOUT_SECONDS = 30.0
_EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A topic that is there."""

    topic: str  # by its name on the cluster
    partitions: int
    replicas: int
    kept_ms: int | None  # -1: for ever; None: compacted
    records: int  # offsets between the oldest and the end; of a compacted topic at most so many
    bytes_on_disk: int | None  # of all replicas; None: nobody may know, or the client for it is not installed


def inventory(settings: KafkaSettings) -> list[Stored]:
    """The catalogue's topics that are there, then the changelogs of the processors' tables."""
    client = admin_client(settings.client())
    present = client.list_topics(timeout=_TIMEOUT_SECONDS).topics
    counts = {name: len(topic.partitions) for name, topic in present.items()}
    names = [wanted.name for wanted in wanted_topics(settings) if wanted.name in present]
    names += [name for name, _ in changelogs(settings, counts)]
    kept, records, sizes = _kept(client, names), _records(client, names, counts), _sizes(settings)
    return [
        Stored(
            topic=name,
            partitions=counts[name],
            replicas=len(present[name].partitions[0].replicas),
            kept_ms=kept[name],
            records=records[name],
            bytes_on_disk=sizes.get(name),
        )
        for name in names
    ]


def _kept(client: Any, names: Sequence[str]) -> dict[str, int | None]:
    asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    found = {}
    for resource, future in (client.describe_configs(asked) if asked else {}).items():
        config = future.result()
        is_deleted = "delete" in config["cleanup.policy"].value
        found[resource.name] = int(config["retention.ms"].value) if is_deleted else None
    return found


def _records(client: Any, names: Sequence[str], counts: Mapping[str, int]) -> dict[str, int]:
    places = [TopicPartition(name, partition) for name in names for partition in range(counts[name])]

    def ask(which: OffsetSpec) -> dict[tuple[str, int], int]:
        futures = client.list_offsets(dict.fromkeys(places, which), request_timeout=_TIMEOUT_SECONDS)
        return {(place.topic, place.partition): future.result().offset for place, future in futures.items()}

    oldest, ends = (patiently(partial(ask, which), "how far topics reach") for which in (_EARLIEST, _LATEST))
    found = dict.fromkeys(names, 0)
    for (name, partition), end in ends.items():
        found[name] += end - oldest[name, partition]
    return found


def _sizes(settings: KafkaSettings) -> Mapping[str, int]:
    try:
        from clawstream.streams.cluster.disk import bytes_on_disk
    except ImportError:  # aiokafka comes with the processors
        return {}
    return bytes_on_disk(settings)


def table(stored: Sequence[Stored], differing: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """Rows for people; dead letters and changelogs where there are any. ``differing``: topics with a mark. Pure."""
    yield ("topic", "partitions", "replicas", "kept", "records", "on disk")
    for each in stored:
        if each.records or not each.topic.endswith((".dead", "-changelog")) or each.topic in differing:
            mark = "!" if each.topic in differing else ""
            size = "-" if each.bytes_on_disk is None else size_of(each.bytes_on_disk)
            figures = (str(each.partitions), str(each.replicas), kept_for(each.kept_ms), f"{each.records:,}", size)
            yield (each.topic + mark, *figures)


def kept_for(kept_ms: int | None) -> str:
    """How long, in words."""
    if kept_ms is None:
        return "compacted"
    return "for ever" if kept_ms < 0 else f"{kept_ms / DAY_MS:g} d"


def size_of(count: int) -> str:
    """Bytes, in the unit that fits: ``1.4 GB``."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
