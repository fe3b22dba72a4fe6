"""Topics on a cluster against the catalogue: what is missing, what differs, and creating what is missing.

Invariant: nothing that exists is ever changed or deleted here; differences are shown.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import ConfigResource, NewTopic  # type: ignore[attr-defined]

from clawstream.streams.cluster.clients import admin_client
from clawstream.streams.cluster.patience import patiently
from clawstream.streams.cluster.refusals import refusal
from clawstream.streams.errors import KafkaRefusedError, KafkaUnreachableError, StreamError
from clawstream.streams.settings import KafkaSettings, SettingsError
from clawstream.topics import CATALOGUE, DAY_MS, Topic

_TIMEOUT_SECONDS = 30.0
_LOOK_AGAIN_SECONDS = 0.02
_DEAD_CONFIG = {"cleanup.policy": "delete", "retention.ms": str(30 * DAY_MS)}


@dataclass(frozen=True, kw_only=True)
class WantedTopic:
    """A topic as it should be."""

    name: str
    partitions: int
    config: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One difference between the catalogue and the cluster."""

    topic: str
    what: str  # "missing", "partitions" or a topic setting's name
    wanted: str
    found: str


def wanted_topics(settings: KafkaSettings, catalogue: tuple[Topic[Any], ...] = CATALOGUE) -> list[WantedTopic]:
    """Every topic of the catalogue and its dead letters, as they should be."""
    wanted = []
    for topic in catalogue:
        partitions = settings.partitions if topic.scaled else 1
        shared = {
            "max.message.bytes": str(settings.max_record_bytes + 64 * 1024),
            "min.insync.replicas": str(settings.min_insync_replicas),
        }
        name, dead = settings.name(topic.name), settings.name(topic.dead)
        wanted.append(WantedTopic(name=name, partitions=partitions, config=topic.config() | shared))
        wanted.append(WantedTopic(name=dead, partitions=1, config=_DEAD_CONFIG | shared))
    return wanted


def wait_for_kafka(
    settings: KafkaSettings, timeout_seconds: float = 60.0, stopped: Callable[[], bool] = lambda: False
) -> bool:
    """Whether a broker answers: False when ``stopped`` before one did. Raises ``KafkaUnreachableError`` when none does
    in time, ``KafkaRefusedError`` as soon as one says why it will not, ``SettingsError`` for files of no use."""
    try:
        client = admin_client(settings.client())
    except KafkaException as error:
        raise SettingsError(f"[kafka] {error.args[0].str()}") from error
    deadline = time.monotonic() + timeout_seconds
    while not stopped():
        try:
            client.list_topics(timeout=1)
            return True
        except KafkaException as error:
            if settings.security_protocol != "PLAINTEXT" and (why := refusal(settings, stopped)) is not None:
                raise KafkaRefusedError(why) from error
            if time.monotonic() > deadline:
                raise KafkaUnreachableError(
                    f"no Kafka broker at {settings.bootstrap_servers} answered in {timeout_seconds} s over "
                    f"{settings.security_protocol}; clawstream broker starts one ({error.args[0]})"
                ) from error
    return False


def create_missing(settings: KafkaSettings) -> list[str]:
    """Create the topics of the catalogue that are missing; their names."""
    return create(settings, wanted_topics(settings))


def create(settings: KafkaSettings, wanted: Iterable[WantedTopic]) -> list[str]:
    """Create those that are missing; their names."""
    client = admin_client(settings.client())
    present = client.list_topics(timeout=_TIMEOUT_SECONDS).topics
    new = [
        NewTopic(topic.name, topic.partitions, settings.replication_factor, config=topic.config)
        for topic in wanted
        if topic.name not in present
    ]
    if not new:
        return []
    for name, future in client.create_topics(new, operation_timeout=_TIMEOUT_SECONDS).items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
                raise StreamError(f"topic {name} cannot be created: {error.args[0]}") from error
    names = [topic.topic for topic in new]
    _wait_until_visible(settings, names)
    return names


def _wait_until_visible(settings: KafkaSettings, names: list[str]) -> None:
    """The controller answers before every broker knows the topics."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while unseen := set(names) - admin_client(settings.client()).list_topics(timeout=_TIMEOUT_SECONDS).topics.keys():
        if time.monotonic() > deadline:
            raise StreamError(f"topics {', '.join(sorted(unseen))} were created and are not shown by the broker")
        time.sleep(_LOOK_AGAIN_SECONDS)


def drift(settings: KafkaSettings) -> Iterator[Drift]:
    """How the cluster differs from the catalogue."""
    client = admin_client(settings.client())
    present = client.list_topics(timeout=_TIMEOUT_SECONDS).topics
    wanted = {topic.name: topic for topic in wanted_topics(settings)}
    existing = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in wanted if name in present]

    def ask() -> dict[str, dict[str, Any]]:
        configs = client.describe_configs(existing) if existing else {}
        return {resource.name: future.result() for resource, future in configs.items()}

    found_configs = patiently(ask, "how topics are configured")  # not every broker knows a new topic at once
    for name, topic in wanted.items():
        if name not in present:
            yield Drift(topic=name, what="missing", wanted=f"{topic.partitions} partitions", found="")
            continue
        partitions = len(present[name].partitions)
        if partitions != topic.partitions:
            yield Drift(topic=name, what="partitions", wanted=str(topic.partitions), found=str(partitions))
        for key, value in topic.config.items():
            found = found_configs[name][key].value
            if found != value:
                yield Drift(topic=name, what=key, wanted=value, found=found)
