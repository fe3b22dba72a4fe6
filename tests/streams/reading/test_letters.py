import pytest
from click.testing import CliRunner

from clawstream.cli.dead import dead
from clawstream.schemas import encode
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.reading.letters import RedriveError, buried, topic_named
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.dead import DeadLetters, Letter
from clawstream.streams.writing.producer import Producer
from clawstream.topics import STEPS
from tests.builders import a_step


def test_a_topic_that_is_none_is_named() -> None:
    with pytest.raises(RedriveError, match="there is no topic stepz; there are steps, "):
        topic_named("stepz")


@pytest.mark.kafka
def test_letters_are_listed_and_put_back_unless_they_would_be_buried_again(
    kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, producer = a_step(), Producer(kafka, "test")
    graves = DeadLetters(kafka, producer, "processors")
    values = (encode(step), b"garbage", encode(step))
    for number, (partition, value) in enumerate(zip((2, 1, -1), values, strict=True)):
        letter = Letter(partition=partition, offset=40 + number, key=b"other", value=value)
        graves.bury(STEPS, letter, f"reason {number}")
    producer.close()
    monkeypatch.setenv("CLAWSTREAM_KAFKA_TOPIC_PREFIX", kafka.topic_prefix)
    given = {"bootstrap_servers": kafka.bootstrap_servers}

    listed = CliRunner().invoke(dead, [], obj=given)
    lines = listed.output.splitlines()
    assert (listed.exit_code, len(lines)) == (0, 3)
    assert lines[0].startswith("steps.dead@0  20")
    assert lines[0].endswith("steps[2]@40  processors: reason 0")

    redriven = CliRunner().invoke(dead, ["redrive", "steps", "--all"], obj=given)
    assert redriven.exit_code == 1
    assert "steps.dead@0 is back in steps" in redriven.output
    assert "steps.dead@1 can still not be read: first byte is 103" in redriven.output
    assert "steps.dead@2 is no record that was read from steps: reason 2" in redriven.output
    assert read_all(kafka, STEPS) == [step]
    assert len(list(buried(kafka, STEPS))) == 3

    assert CliRunner().invoke(dead, ["redrive", "steps"], obj=given).exit_code == 2
    missing = CliRunner().invoke(dead, ["redrive", "steps", "7"], obj=given)
    assert (missing.exit_code, missing.output) == (1, "steps.dead has no letter 7\n")
