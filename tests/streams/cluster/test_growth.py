"""Partitions that were added to topics in use: how that is noticed, and that nothing is read then."""

import time
from collections.abc import Callable

import pytest
from confluent_kafka.admin import NewPartitions, NewTopic  # type: ignore[attr-defined]

from clawstream.streams.cluster.clients import admin_client
from clawstream.streams.cluster.growth import changelogs, partition_counts, require_as_made
from clawstream.streams.errors import PartitionsAddedError
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import CATALOGUE, partition_of

NAMES = {"steps": 4, "p-steps": 4, "p-processors-steps-changelog": 4, "processors-groups-changelog": 2}


def until(known: Callable[[], bool]) -> None:
    """Wait until the brokers know. Raises ``TimeoutError``."""
    deadline = time.monotonic() + 30.0
    while not known():
        if time.monotonic() > deadline:
            raise TimeoutError("the brokers do not know after 30 s")
        time.sleep(0.05)


def test_a_key_moves_when_partitions_are_added() -> None:
    assert (partition_of(b"t0", 2), partition_of(b"t0", 4)) == (0, 2)


def test_changelogs_are_those_of_this_pipeline() -> None:
    assert list(changelogs(KafkaSettings(), NAMES)) == [("processors-groups-changelog", 2)]
    assert list(changelogs(KafkaSettings(topic_prefix="p-"), NAMES)) == [("p-processors-steps-changelog", 4)]


@pytest.mark.kafka
def test_tables_that_were_made_for_fewer_partitions_are_noticed(kafka: KafkaSettings) -> None:
    client = admin_client(kafka.client())
    require_as_made(kafka)  # nobody has made a table yet
    changelog = kafka.name("processors-steps-changelog")
    client.create_topics([NewTopic(changelog, kafka.partitions, 1)])[changelog].result(30)
    until(lambda: changelog in partition_counts(kafka))
    require_as_made(kafka)
    more = [NewPartitions(kafka.name(topic.name), kafka.partitions + 2) for topic in CATALOGUE if topic.scaled]
    for added in client.create_partitions(more).values():
        added.result(30)
    until(lambda: partition_counts(kafka)[kafka.name("steps")] > kafka.partitions)
    with pytest.raises(PartitionsAddedError, match=f"steps was made with 4 partitions and has 6, as {changelog} tells"):
        require_as_made(kafka)
