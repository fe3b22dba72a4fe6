"""Lag, as the cluster shows it: groups that read, that stopped, and nodes that serve."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from click.testing import CliRunner

from clawstream.cli.lag import lag, shown
from clawstream.streams.lag.behind import Behind, Onlooker, Report, nodes_behind
from clawstream.streams.reading.consumer import GroupConsumer
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.dead import DeadLetters
from clawstream.streams.writing.producer import Producer
from clawstream.topics import NODES, STEPS, WEIGHTS
from tests.builders import NOON, a_step, a_version
from tests.gateway.samples import a_node


@pytest.fixture
def producer(kafka: KafkaSettings) -> Iterator[Producer]:
    producer = Producer(kafka, "test")
    yield producer
    producer.close()


def taken(kafka: KafkaSettings, producer: Producer, count: int) -> None:
    """The group ``readers`` takes ``count`` steps and commits."""
    dead = DeadLetters(kafka, producer, "readers")
    consumer, offsets, left = GroupConsumer(kafka, STEPS, "readers", dead), dict[int, int](), count
    while left:
        for received in consumer.consume(left, 0.5):
            offsets[received.partition], left = received.offset + 1, left - 1
    consumer.commit(offsets)
    consumer.close()


@pytest.mark.kafka
def test_a_group_is_behind_by_what_it_has_not_committed(kafka: KafkaSettings, producer: Producer) -> None:
    for number in range(20):
        producer.send(STEPS, a_step(trajectory_id=f"t{number}")).result(30)
    taken(kafka, producer, 15)
    report = Onlooker(kafka).report()
    assert {(each.group, each.topic) for each in report.groups} == {("readers", "steps")}
    assert sum(each.records for each in report.groups) == 5
    assert all((each.oldest is not None) == (each.records > 0) == (each.seconds > 0) for each in report.groups)
    assert max(each.seconds for each in report.groups) < 60


@pytest.mark.kafka
def test_the_command_tells_scripts(kafka: KafkaSettings, producer: Producer) -> None:
    for number in range(3):
        producer.send(STEPS, a_step(trajectory_id=f"t{number}")).result(30)
    producer.send(WEIGHTS, a_version(version=7)).result(30)
    producer.send(NODES, a_node(version=5)).result(30)
    taken(kafka, producer, 1)
    environment = {
        "CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CLAWSTREAM_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
    }

    def said(*arguments: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(lag, arguments, obj={"bootstrap_servers": None}, env=environment)
        return result.exit_code, result.stdout, result.stderr

    status, out, _ = said("--json")
    report = json.loads(out)
    assert (status, sum(each["records"] for each in report["groups"])) == (0, 2)
    assert [(node["version"], node["newest"], node["versions"]) for node in report["nodes"]] == [(5, 7, 2)]
    status, out, _ = said("--max-records", "2", "--max-seconds", "600", "--max-versions", "2")
    assert (status, out.splitlines()[1].split()[:3]) == (0, ["readers", "steps", "2"])
    status, _, alarms = said("--max-records", "1", "--max-seconds", "0", "--max-versions", "1")
    assert (status, len(alarms.splitlines())) == (1, 3)
    assert "readers is 2 records behind in steps; 1 are allowed" in alarms


def test_a_node_is_behind_the_newest_version_of_its_own_model() -> None:
    statuses = [
        a_node("a", model="m", version=3, at=NOON),
        a_node("b", model="other", version=9, at=NOON),
        a_node("c", model="unknown", version=4, at=NOON),
        a_node("d", model="m", version=1, health="stopped", at=NOON),
    ]
    found = nodes_behind({"m": 5, "other": 9}, statuses, NOON + timedelta(seconds=2))
    assert [(node.node, node.versions, node.silent_seconds) for node in found] == [
        ("a", 2, 2),
        ("b", 0, 2),
        ("c", 0, 2),
    ]


def test_partitions_are_summed_or_shown_each() -> None:
    def behind(partition: int, records: int) -> Behind:
        oldest = NOON if records else None
        return Behind(
            group="g",
            topic="steps",
            partition=partition,
            committed=0,
            end=records,
            records=records,
            seconds=1.5 * records,
            oldest=oldest,
        )

    report = Report(groups=[behind(0, 2), behind(1, 0)], nodes=[])
    (line,) = shown(report, partitions=False)[1:]
    assert line.split()[:4] == ["g", "steps", "2", "3.0"]
    assert [line.split()[1:3] for line in shown(report, partitions=True)[1:]] == [["steps[0]", "2"], ["steps[1]", "0"]]
