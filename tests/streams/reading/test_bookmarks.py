import pytest

from clawstream.streams.lag.groups import LagReader
from clawstream.streams.reading.bookmarks import Bookmark, Bookmarks
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import FEEDBACK, STEPS


@pytest.mark.kafka
def test_offsets_and_notes_are_there_again(kafka: KafkaSettings) -> None:
    marks = {("steps", 0): Bookmark(offset=3, note='{"done": 1}'), ("feedback", 1): Bookmark(offset=0)}
    first = Bookmarks(kafka, "job")
    assert first.read((STEPS, FEEDBACK)) == {}
    first.write(marks)
    first.close()
    again = Bookmarks(kafka, "job")
    assert again.read((STEPS, FEEDBACK)) == marks
    assert LagReader(kafka).committed("job", [STEPS]) == {"steps": {0: 3}}
    again.close()
