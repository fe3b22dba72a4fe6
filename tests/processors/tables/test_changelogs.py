"""Tables that come back from their changelogs."""

import asyncio

import pytest
from confluent_kafka.admin import ConfigResource

from clawstream.processors.tables.changelogs import Changelogs, LoggedTable
from clawstream.streams.cluster.admin import create_missing
from clawstream.streams.cluster.clients import admin_client
from clawstream.streams.cluster.growth import require_as_made
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer

PARTITIONS = 2


def test_each_change_is_waiting_once() -> None:
    table = LoggedTable("changelog")
    table[b"a"] = b"1"
    table[b"a"] = b"2"
    table[b"b"] = b"3"
    assert table.pop(b"b", None) == b"3"
    assert table.pop(b"c", None) is None
    assert (dict(table), table.changed) == ({b"a": b"2"}, {b"a": b"2", b"b": None})
    table.restore({b"d": b"4"})
    assert (dict(table), table.changed) == ({b"d": b"4"}, {})


@pytest.mark.kafka
async def test_a_table_holds_what_its_changelog_says_of_the_partitions(kafka: KafkaSettings) -> None:
    create_missing(kafka)
    changelogs = Changelogs(kafka, "processors", kafka.partitions)
    table, other = changelogs.table("trajectories"), changelogs.table("groups")
    require_as_made(kafka)  # knows a changelog by its name
    producer = Producer(kafka, "test")
    for partition, key, value in ((0, b"a", b"1"), (1, b"b", b"2"), (1, b"gone", b"3"), (1, b"gone", None)):
        producer.send_bytes(kafka.name(table.changelog), key, value, partition=partition).result(timeout=30)
    producer.close()
    table[b"unsent"] = other[b"unsent"] = b"of an assignment before"
    assert await changelogs.restore({0, 1})
    assert (dict(table), dict(other), table.changed, other.changed) == ({b"a": b"1", b"b": b"2"}, {}, {}, {})
    assert await changelogs.restore({1})
    assert dict(table) == {b"b": b"2"}
    found = Changelogs(kafka, "processors", kafka.partitions).table("trajectories")  # it is there already
    assert found.changelog == table.changelog


@pytest.mark.kafka
async def test_partitions_that_go_while_tables_come_back(kafka: KafkaSettings) -> None:
    create_missing(kafka)
    changelogs = Changelogs(kafka, "processors", kafka.partitions)
    table = changelogs.table("trajectories")
    producer = Producer(kafka, "test")
    producer.send_bytes(kafka.name(table.changelog), b"a", b"1", partition=0).result(timeout=30)
    producer.close()
    coming = asyncio.create_task(changelogs.restore({0}))
    await asyncio.sleep(0)
    changelogs.let_go()
    assert not await coming
    assert dict(table) == {}


@pytest.mark.kafka
def test_a_changelog_is_compacted_soon(kafka: KafkaSettings) -> None:
    table = Changelogs(kafka, "processors", PARTITIONS).table("trajectories")
    resource = ConfigResource(ConfigResource.Type.TOPIC, kafka.name(table.changelog))
    found = admin_client(kafka.client()).describe_configs([resource])[resource].result(30)
    assert found["cleanup.policy"].value == "compact"
    assert int(found["max.message.bytes"].value) == 2 * kafka.max_record_bytes <= int(found["segment.bytes"].value)
