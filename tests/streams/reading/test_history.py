import pytest

from clawstream.streams.reading.history import History
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import FEEDBACK, STEPS, partition_of
from tests.builders import a_feedback, a_step

pytestmark = pytest.mark.kafka


def read(history: History) -> list[tuple[str, int, bool]]:
    found = []
    while not history.caught_up:
        found += [(told.topic.name, told.offset, told.record is not None) for told in history.poll(100, 0.5)]
    return sorted(found)


def test_topics_are_read_from_where_the_caller_says(kafka: KafkaSettings) -> None:
    producer = Producer(kafka, "test")
    for record in (a_step(), a_step()):
        producer.send(STEPS, record).result(30)
    producer.send(FEEDBACK, a_feedback()).result(30)
    producer.send_bytes(kafka.name("feedback"), b"t1", b"broken").result(30)
    producer.close()
    history = History(kafka, [STEPS, FEEDBACK], {}, "reader")
    assert read(history) == [("feedback", 0, True), ("feedback", 1, False), ("steps", 0, True), ("steps", 1, True)]
    history.close()
    partition = partition_of(b"t1", 4)
    later = History(kafka, [STEPS, FEEDBACK], {("steps", partition): 1, ("feedback", partition): 2}, "reader")
    assert read(later) == [("steps", 1, True)]
    later.close()
