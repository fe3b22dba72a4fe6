from datetime import UTC, datetime, timedelta

import pytest

from clawstream.schemas import Step
from clawstream.schemas import decode as read
from clawstream.streams.reading.ranges import RangeGoneError, RangeReader, read_range
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import STEPS, partition_of
from tests.builders import a_step

OWN = partition_of(b"t1", 4)


def send(kafka: KafkaSettings, *texts: str) -> None:
    producer = Producer(kafka, "test")
    for text in texts:
        producer.send(STEPS, a_step(text=text))
    producer.close()


@pytest.mark.kafka
def test_ranges_are_read_exactly(kafka: KafkaSettings) -> None:
    send(kafka, *map(str, range(60)))
    reader = RangeReader(kafka, STEPS.name)
    assert reader.present() == {OWN: (0, 60)}

    def texts(start: int, end: int) -> list[str]:
        some = reader.read({OWN: (start, end), (OWN + 1) % 4: (0, 0)})
        return [read(placed.value or b"", Step).text for records in some for placed in records]

    assert texts(0, 60) == [str(number) for number in range(60)]
    assert texts(7, 9) == ["7", "8"]
    assert texts(5, 5) == []
    for partition, end in ((OWN, 61), ((OWN + 1) % 4, 1), (99, 1)):
        with pytest.raises(RangeGoneError, match="no longer all of 0 to"):
            next(reader.read({partition: (0, end)}))
    reader.close()


@pytest.mark.kafka
def test_times_are_those_of_kafka(kafka: KafkaSettings) -> None:
    send(kafka, "a", "b")
    reader, now = RangeReader(kafka, STEPS.name), datetime.now(UTC)
    hour = timedelta(hours=1)
    assert reader.present(since=now - hour) == reader.present(until=now + hour) == {OWN: (0, 2)}
    assert reader.present(since=now + hour) == reader.present(until=now - hour) == {}
    reader.close()


def test_ranges_as_people_write_them() -> None:
    assert read_range("next-states[3]@10-200") == ("next-states", 3, 10, 200)
    for wrong in ("steps", "steps[0]", "steps[a]@1-2", "steps[0]@1"):
        with pytest.raises(ValueError, match="no range such as"):
            read_range(wrong)
