"""A node of three is killed while records are written and read: nothing is lost, nothing hangs."""

import time
from pathlib import Path

import pytest

from clawstream.schemas import Step
from clawstream.streams.cluster.admin import create_missing, drift
from clawstream.streams.cluster.clients import admin_client
from clawstream.streams.reading.consumer import GroupConsumer
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.dead import DeadLetters
from clawstream.streams.writing.producer import Producer
from clawstream.topics import STEPS
from tests.builders import a_step
from tests.streams.broker.cluster import cluster

pytestmark = pytest.mark.kafka
_BEFORE, _AFTER = 200, 400  # records sent before the kill, and once it is done
_SECONDS = 60.0


def test_nothing_is_lost_and_nothing_hangs_when_a_node_is_killed(tmp_path: Path) -> None:
    with cluster(tmp_path) as nodes:
        servers = ",".join(node.bootstrap_servers for node in nodes.values())
        kafka = KafkaSettings(bootstrap_servers=servers, partitions=1, replication_factor=3)
        create_missing(kafka)
        deadline = time.monotonic() + _SECONDS
        while found := list(drift(kafka)):  # a node that has just started hears of new topics last
            assert time.monotonic() < deadline, found
        producer = Producer(kafka, "test")
        consumer = GroupConsumer(kafka, STEPS, "readers", DeadLetters(kafka, producer, "test"))
        sent, seen = [a_step() for _ in range(_BEFORE + _AFTER)], list[str]()
        futures = [producer.send(STEPS, step) for step in sent[:_BEFORE]]
        while len(seen) < _BEFORE // 2:
            seen += taken(consumer)
        futures += [producer.send(STEPS, step) for step in sent[_BEFORE : _BEFORE + _AFTER // 2]]
        nodes[leader_of(kafka)].kill()
        futures += [producer.send(STEPS, step) for step in sent[_BEFORE + _AFTER // 2 :]]
        deadline = time.monotonic() + _SECONDS
        while len(seen) < len(sent) and time.monotonic() < deadline:
            seen += taken(consumer)
        for future in futures:
            future.result(_SECONDS)
        assert seen == [step.step_id for step in sent], "lost, doubled or out of order"
        consumer.close()
        producer.close()


def taken(consumer: GroupConsumer[Step]) -> list[str]:
    """Steps that come, by their ids; the group has them from now on."""
    received = consumer.consume(100, 0.2)
    consumer.commit({each.partition: each.offset + 1 for each in received})
    return [each.record.step_id for each in received]


def leader_of(kafka: KafkaSettings) -> int:
    """The node that leads the one partition of ``steps``."""
    name = kafka.name(STEPS.name)
    return int(admin_client(kafka.client()).list_topics(name, timeout=10).topics[name].partitions[0].leader)
