"""The end of a topic, raw."""

import time

import pytest

from clawstream.schemas import decode
from clawstream.schemas.step import Step
from clawstream.streams.errors import KafkaUnreachableError
from clawstream.streams.reading.tail import RawRecord, Tail
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import STEPS
from tests.builders import a_step

pytestmark = pytest.mark.kafka


def polled(tail: Tail, count: int) -> list[RawRecord]:
    found, deadline = list[RawRecord](), time.monotonic() + 20
    while len(found) < count:
        found += tail.poll(0.2)
        assert time.monotonic() < deadline
    return found


async def test_it_begins_before_the_end_and_goes_on(kafka: KafkaSettings) -> None:
    producer = Producer(kafka, "test")
    for number in range(5):
        await producer.asend(STEPS, a_step(step_id=str(number)), {"writer": "me"})
    tail = Tail(kafka, STEPS, max_records=2)
    partition = tail.partition("t1")
    assert (tail.reached(partition), await tail.end(partition)) == (3, 5)
    assert [decode(record.value, Step).step_id for record in polled(tail, 2)] == ["3", "4"]
    await producer.asend(STEPS, a_step(step_id="5"))
    (last,) = polled(tail, 1)
    assert (last.key, last.headers) == ("t1", {})
    assert tail.reached(partition) == 5, "what was handed out may not have been taken in yet"
    tail.poll(0)
    assert tail.reached(partition) == 6 == (await tail.ends())[partition]
    tail.close()
    producer.close()


def test_a_topic_that_is_missing_is_named(kafka: KafkaSettings) -> None:
    missing = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, topic_prefix="none-")
    with pytest.raises(KafkaUnreachableError, match="none-steps"):
        Tail(missing, STEPS, 1)
