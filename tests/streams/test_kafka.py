import asyncio
from contextlib import ExitStack

import confluent_kafka
import pytest

from clawstream.schemas import Step
from clawstream.streams.cluster.admin import Drift, create_missing, drift, wait_for_kafka
from clawstream.streams.errors import KafkaSendError, KafkaUnreachableError, ProducerBrokenError, StreamError
from clawstream.streams.reading.consumer import Follower, GroupConsumer, Received, read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.dead import DeadLetters
from clawstream.streams.writing.producer import Producer
from clawstream.topics import FEEDBACK, NODES, STEPS, partition_of
from tests.builders import a_feedback, a_step
from tests.streams.breaking import break_for_good

pytestmark = pytest.mark.kafka


def consume(consumer: GroupConsumer[Step], count: int) -> list[Received[Step]]:
    found: list[Received[Step]] = []
    for _ in range(100):
        found += consumer.consume(100, 0.2)
        if len(found) >= count:
            break
    return found


def test_a_record_comes_back_as_it_was_sent(kafka: KafkaSettings) -> None:
    producer, steps = Producer(kafka, "test"), [a_step(trajectory_id=f"t{n}") for n in range(50)]
    for future in [producer.send(STEPS, step) for step in steps]:
        future.result(timeout=30)
    assert sorted(read_all(kafka, STEPS), key=lambda step: step.step_id) == steps
    producer.close()


async def test_a_coroutine_waits_for_the_acknowledgement(kafka: KafkaSettings) -> None:
    producer, feedback = Producer(kafka, "test"), a_feedback()
    await producer.asend(FEEDBACK, feedback)
    assert read_all(kafka, FEEDBACK) == [feedback]
    producer.close()


def test_a_record_too_large_is_refused_and_its_neighbours_are_not(kafka: KafkaSettings) -> None:
    producer = Producer(kafka.model_copy(update={"max_record_bytes": 4096}), "test")
    with pytest.raises(KafkaSendError, match="steps was not acknowledged"):
        producer.send(STEPS, a_step(text="x" * 5000)).result(timeout=30)
    producer.send(STEPS, a_step()).result(timeout=30)
    assert len(read_all(kafka, STEPS)) == 1
    producer.close()


async def test_a_producer_that_breaks_says_so_and_keeps_nobody_waiting(kafka: KafkaSettings) -> None:
    producer = Producer(kafka, "test")
    producer.send(STEPS, a_step()).result(timeout=30)
    break_for_good(producer)
    with pytest.raises(ProducerBrokenError, match=r"takes nothing from this process any more: .*lost count"):
        await asyncio.to_thread(producer.broken.result, 10)
    with pytest.raises(KafkaSendError, match="Fatal error"):
        producer.send(STEPS, a_step())
    with pytest.raises(KafkaSendError):
        await producer.asend(STEPS, a_step())
    with pytest.raises(ProducerBrokenError):
        producer.close()
    assert len(read_all(kafka, STEPS)) == 1


def test_what_cannot_be_read_is_buried_and_costs_its_neighbours_nothing(kafka: KafkaSettings) -> None:
    producer, before, after = Producer(kafka, "test"), a_step(), a_step()
    producer.send(STEPS, before).result(timeout=30)
    producer.send_bytes(kafka.name("steps"), b"t1", b"garbage").result(timeout=30)
    producer.send(STEPS, after).result(timeout=30)
    consumer = GroupConsumer(kafka, STEPS, "readers", DeadLetters(kafka, producer, "test"))
    assert [received.record for received in consume(consumer, 2)] == [before, after]
    letter = one_raw(kafka, "steps.dead")
    assert letter.value() == b"garbage"
    assert letter.key() == b"t1"
    headers = {name: value.decode() for name, value in letter.headers() or [] if isinstance(value, bytes)}
    assert headers["topic"] == "steps"
    assert headers["offset"] == "1"
    assert "first byte is 103" in headers["reason"]
    consumer.close()
    producer.close()


def test_a_consumer_starts_where_it_is_told(kafka: KafkaSettings) -> None:
    producer, steps = Producer(kafka, "test"), [a_step() for _ in range(5)]
    for step in steps:
        producer.send(STEPS, step).result(timeout=30)
    partition = partition_of(b"t1", kafka.partitions)
    dead = DeadLetters(kafka, producer, "test")
    consumer = GroupConsumer(kafka, STEPS, "readers", dead, on_assign=lambda _: {partition: 3})
    assert [received.offset for received in consume(consumer, 2)] == [3, 4]
    consumer.commit({partition: 5})
    assert consumer.lag() == 0
    consumer.close()
    resumed = GroupConsumer(kafka, STEPS, "readers", dead)
    producer.send(STEPS, steps[0]).result(timeout=30)
    assert [received.offset for received in consume(resumed, 1)] == [5]
    resumed.close()
    producer.close()


def test_of_two_members_of_one_name_the_older_ends_and_says_why(kafka: KafkaSettings) -> None:
    with ExitStack() as closing:
        producer = Producer(kafka, "test")
        closing.callback(producer.close)
        joined, dead = list[str](), DeadLetters(kafka, producer, "g")

        def member(name: str) -> GroupConsumer[Step]:
            def note(_: object) -> dict[int, int]:
                joined.append(name)
                return {}

            found = GroupConsumer(kafka, STEPS, "g", dead, on_assign=note, instance="one")
            closing.callback(found.close)
            while name not in joined:
                found.consume(1, 0.1)
            return found

        older = member("older")
        member("newer")
        with pytest.raises(StreamError, match=r"steps cannot be read: .*fenced by other consumer"):
            consume(older, 1)


def test_topics_missing_and_different_are_shown(kafka: KafkaSettings) -> None:
    assert list(drift(kafka)) == []
    more = kafka.model_copy(update={"partitions": 6})
    name = kafka.name("steps")
    assert Drift(topic=name, what="partitions", wanted="6", found="4") in list(drift(more))
    other = kafka.model_copy(update={"topic_prefix": f"{kafka.topic_prefix}other-"})
    assert {difference.what for difference in drift(other)} == {"missing"}
    assert len(create_missing(other)) == 20
    assert create_missing(other) == []


def test_a_topic_that_is_not_there_is_named(kafka: KafkaSettings) -> None:
    with pytest.raises(KafkaUnreachableError, match="nowhere-nodes cannot be read"):
        Follower(kafka.model_copy(update={"topic_prefix": "nowhere-"}), NODES)


def test_no_broker_gets_a_sentence() -> None:
    with pytest.raises(KafkaUnreachableError, match=r"no Kafka broker at 127.0.0.1:1 answered in 0.1 s"):
        wait_for_kafka(KafkaSettings(bootstrap_servers="127.0.0.1:1"), timeout_seconds=0.1)


def one_raw(kafka: KafkaSettings, topic: str) -> confluent_kafka.Message:
    reader = confluent_kafka.Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": "raw"})
    reader.assign([confluent_kafka.TopicPartition(kafka.name(topic), 0, 0)])
    messages = reader.consume(1, 10)
    reader.close()
    return messages[0]


async def test_a_cancelled_send_leaves_the_producer_working(kafka: KafkaSettings) -> None:
    producer = Producer(kafka, "test")
    assert producer.asend(STEPS, a_step()).cancel()
    await asyncio.wait_for(producer.asend(STEPS, a_step()), 10)
    producer.close()
