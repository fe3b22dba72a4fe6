import pytest

from clawstream.streams.reading.compacted import newest
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import STEPS

pytestmark = pytest.mark.kafka


def test_the_newest_value_of_each_key_that_is_not_gone(kafka: KafkaSettings) -> None:
    producer = Producer(kafka, "test")
    for partition, key, value in (
        (0, b"a", b"1"),
        (1, b"b", b"2"),
        (0, b"a", b"3"),
        (0, b"gone", b"4"),
        (0, b"gone", None),
        (0, b"never there", None),
        (1, None, b"of no key"),
    ):
        producer.send_bytes(kafka.name(STEPS.name), key, value, partition=partition).result(timeout=30)
    producer.close()
    assert newest(kafka, STEPS.name) == {b"a": b"3", b"b": b"2"}
    assert newest(kafka, STEPS.name, {1, 2}) == {b"b": b"2"}
    assert newest(kafka, STEPS.name, stopped=lambda: True) == {}
