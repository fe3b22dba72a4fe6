"""More partitions for a pipeline that is at rest.

Invariant: no trajectory or group has events on both sides of it, so nobody may read, nothing may wait, and all that the
processors' tables still hold must be over and done: closed, put out, and closed for so long that it would be forgotten.
Whoever asks is told what stands in the way. Killed half-way, it is done again from the beginning::

    at rest -> the tables' changelogs are deleted, for nothing in them counts -> topics get more partitions
"""

import time
from collections.abc import Callable, Iterator

import confluent_kafka as kafka
import msgspec
from confluent_kafka.admin import NewPartitions  # type: ignore[attr-defined]

from clawstream.processors.worker.pipeline import GROUP, SOURCES
from clawstream.streams.cluster.clients import admin_client
from clawstream.streams.cluster.growth import changelogs, partition_counts
from clawstream.streams.errors import KafkaUnreachableError, StreamError
from clawstream.streams.lag.groups import LagReader
from clawstream.streams.reading.compacted import newest
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import CATALOGUE

_TIMEOUT_SECONDS = 30.0
_LOOK_AGAIN_SECONDS = 0.05
_STATES = ("-trajectories-changelog", "-groups-changelog")  # the other tables hold what belongs to these


class NotAtRestError(StreamError):
    """Partitions cannot be added now; the message says what stands in the way."""


class Ended(msgspec.Struct, kw_only=True):
    """What counts here of a state in a table."""

    closed_ms: int | None = None
    put_out: bool = False


def grow(settings: KafkaSettings, memory_seconds: float) -> list[str]:
    """Add partitions up to ``settings.partitions``; the names of the topics that have more now.

    ``memory_seconds``: how long the processors remember what is closed. Raises ``NotAtRestError``, and ``StreamError``
    where there are more partitions already.
    """
    counts, wanted = partition_counts(settings), settings.partitions
    scaled = [settings.name(topic.name) for topic in CATALOGUE if topic.scaled]
    topics = {name: counts[name] for name in scaled if name in counts}
    for name, count in topics.items():
        if count > wanted:
            raise StreamError(f"{name} has {count} partitions, more than the {wanted} asked for: Kafka takes none away")
    fewer = [name for name, count in topics.items() if count < wanted]
    if fewer:
        logs = [name for name, _ in changelogs(settings, counts)]
        if reason := next(_in_the_way(settings, logs, memory_seconds), None):
            raise NotAtRestError(f"partitions cannot be added now: {reason}")
        _delete(settings, logs)
        _add(settings, fewer)
    return fewer


def open_or_remembered(states: Iterator[bytes], now_ms: int, memory_seconds: float) -> str | None:
    """Why a table of ``states`` cannot be forgotten at ``now_ms``; None where it can. Pure."""
    ended = [msgspec.msgpack.decode(state, type=Ended) for state in states]
    if count := sum(not each.put_out for each in ended):
        return f"{count} are open"
    newest_ms = max((each.closed_ms or 0 for each in ended), default=0)
    left_seconds = newest_ms / 1000 + memory_seconds - now_ms / 1000
    if left_seconds > 0:
        return f"what was closed is remembered for {left_seconds:.0f} s more (processors.memory_seconds)"
    return None


def _in_the_way(settings: KafkaSettings, logs: list[str], memory_seconds: float) -> Iterator[str]:
    for group, members in _members(settings).items():
        if members:
            yield f"{members} in group {group} are reading; every process must be stopped"
    lags = LagReader(settings)
    for topic in SOURCES:
        if waiting := lags.lag(GROUP, topic):
            yield f"{waiting} records of {settings.name(topic.name)} wait for the processors"
    for name in logs:
        if name.endswith(_STATES):
            values = iter(newest(settings, name.removeprefix(settings.topic_prefix)).values())
            if why := open_or_remembered(values, time.time_ns() // 1_000_000, memory_seconds):
                yield f"in {name}, {why}"


def _members(settings: KafkaSettings) -> dict[str, int]:
    """By group: members that read topics of this pipeline, or are just joining and have none yet."""
    client, ours = admin_client(settings.client()), {settings.name(topic.name) for topic in CATALOGUE}
    try:
        listed = client.list_consumer_groups(request_timeout=_TIMEOUT_SECONDS).result().valid
        names = [each.group_id for each in listed if each.group_id.startswith(settings.topic_prefix)]
        described = client.describe_consumer_groups(names, request_timeout=_TIMEOUT_SECONDS) if names else {}
        assigned = {
            name: [{place.topic for place in member.assignment.topic_partitions} for member in future.result().members]
            for name, future in described.items()
        }
    except kafka.KafkaException as error:
        raise KafkaUnreachableError(f"consumer groups are not known: {error.args[0]}") from error
    return {name: sum(not topics or bool(topics & ours) for topics in each) for name, each in assigned.items()}


def _delete(settings: KafkaSettings, names: list[str]) -> None:
    client = admin_client(settings.client())
    for name, future in (client.delete_topics(names) if names else {}).items():
        _done(future.result, f"{name} cannot be deleted")
    _until(lambda: not partition_counts(settings).keys() & set(names), f"{', '.join(names)} to be gone")


def _add(settings: KafkaSettings, names: list[str]) -> None:
    more = [NewPartitions(name, settings.partitions) for name in names]
    for name, future in admin_client(settings.client()).create_partitions(more).items():
        _done(future.result, f"{name} gets no more partitions")
    _until(
        lambda: all(partition_counts(settings).get(name) == settings.partitions for name in names),
        f"{', '.join(names)} to have {settings.partitions} partitions",
    )


def _done(act: Callable[[float], None], what: str) -> None:
    try:
        act(_TIMEOUT_SECONDS)
    except kafka.KafkaException as error:
        raise StreamError(f"{what}: {error.args[0]}") from error


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise StreamError(f"waited {_TIMEOUT_SECONDS:g} s for {what}; run it again")
        time.sleep(_LOOK_AGAIN_SECONDS)
