"""More partitions: only for a pipeline that is at rest, and what stands in the way is said."""

from collections.abc import Iterable
from itertools import count

import msgspec
import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

from clawstream.processors.growing import NotAtRestError, grow, open_or_remembered
from clawstream.processors.tables.kept import State
from clawstream.streams.cluster.clients import admin_client
from clawstream.streams.cluster.growth import partition_counts, require_as_made
from clawstream.streams.errors import StreamError
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import CATALOGUE, SAMPLES, STEPS, WEIGHTS, partition_of
from tests.builders import a_step

NOON_MS = 1_700_000_000_000
OPEN, ENDED = State(), State(closed_ms=NOON_MS, closed_by="complete", put_out=True)
CLOSING = State(closed_ms=NOON_MS, closed_by="complete")


def packed(states: Iterable[State]) -> Iterable[bytes]:
    return map(msgspec.msgpack.encode, states)


@pytest.mark.parametrize(
    ("states", "seconds_later", "reason"),
    [
        ([], 0, None),
        ([OPEN, ENDED], 9000, "1 are open"),
        ([CLOSING], 9000, "1 are open"),
        ([ENDED], 600, "what was closed is remembered for 3000 s more (processors.memory_seconds)"),
        ([ENDED], 3601, None),
    ],
)
def test_tables_may_go_once_nothing_in_them_counts(states: list[State], seconds_later: int, reason: str | None) -> None:
    assert open_or_remembered(iter(packed(states)), NOON_MS + 1000 * seconds_later, 3600) == reason


@pytest.mark.kafka
def test_partitions_are_added_at_rest_and_never_before(kafka: KafkaSettings) -> None:
    key = next(f"t{n}" for n in count() if moved(f"t{n}"))
    producer, wanted = Producer(kafka, "test"), kafka.model_copy(update={"partitions": 6})
    changelog = kafka.name("processors-trajectories-changelog")
    admin_client(kafka.client()).create_topics([NewTopic(changelog, 4, 1)])[changelog].result(30)
    producer.send(STEPS, a_step(trajectory_id=key)).result(30)
    with pytest.raises(NotAtRestError, match=r"1 records of .*steps wait for the processors"):
        grow(wanted, 3600)

    worker = Consumer(kafka.client() | {"group.id": kafka.name("processors"), "auto.offset.reset": "earliest"})
    worker.subscribe([kafka.name("steps")])
    while (message := worker.poll(1.0)) is None or message.error() is not None:
        pass
    worker.commit(message, asynchronous=False)
    with pytest.raises(NotAtRestError, match=r"1 in group .*processors are reading"):
        grow(wanted, 3600)
    worker.close()

    for state, why in ((OPEN, "1 are open"), (ENDED, "is remembered for")):
        value = msgspec.msgpack.encode(state)
        producer.send_bytes(changelog, key.encode(), value, partition=partition_of(key.encode(), 4)).result(30)
        with pytest.raises(NotAtRestError, match=f"in {changelog}, .*{why}"):
            grow(wanted, 1e12)
    assert partition_counts(kafka)[kafka.name("steps")] == 4

    neighbour = member_of_another_pipeline(kafka)
    assert len(grow(wanted, 1.0)) == sum(topic.scaled for topic in CATALOGUE)
    found = partition_counts(kafka)
    assert changelog not in found
    assert (found[kafka.name("steps")], found[kafka.name(SAMPLES.name)], found[kafka.name(WEIGHTS.name)]) == (6, 6, 1)
    require_as_made(kafka)
    assert grow(wanted, 3600) == []
    with pytest.raises(StreamError, match="has 6 partitions, more than the 4 asked for"):
        grow(kafka, 3600)
    neighbour.close()
    producer.close()


def member_of_another_pipeline(kafka: KafkaSettings) -> Consumer:
    """It reads a topic of its own, and its group's name begins as ours do: with no prefix, all do."""
    topic = kafka.name("another-steps")
    admin_client(kafka.client()).create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    member = Consumer(kafka.client() | {"group.id": kafka.name("another-processors")})
    member.subscribe([topic])
    while not member.assignment():
        member.poll(0.1)
    return member


def moved(key: str) -> bool:
    return partition_of(key.encode(), 4) != partition_of(key.encode(), 6)
