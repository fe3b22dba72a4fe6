"""What is printed of a topic."""

import json
import re

import pytest
from click.testing import CliRunner

from clawstream.cli.tail import tail
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import STEPS, partition_of
from tests.builders import a_step


@pytest.mark.kafka
def test_records_are_decoded_filtered_and_what_cannot_be_read_is_said(kafka: KafkaSettings) -> None:
    producer = Producer(kafka, "test")
    for number in range(6):
        step = a_step(trajectory_id="t1", text=f"answer {number}", channel="val" if number % 2 else "train")
        producer.send(STEPS, step).result(30)
    producer.send_bytes(kafka.name("steps"), b"t1", b"no record").result(30)
    producer.close()
    environment = {
        "CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CLAWSTREAM_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
    }

    def said(*arguments: str) -> tuple[list[dict[str, object]], str]:
        arguments = ("steps", "--no-follow", *arguments)
        result = CliRunner().invoke(tail, arguments, obj={"bootstrap_servers": None}, env=environment)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()], result.stderr

    found, errors = said()
    assert [record["text"] for record in found] == [f"answer {number}" for number in range(6)]
    assert "left out: " in errors
    printed = CliRunner().invoke(
        tail, ("steps", "--no-follow", "--pretty", "--last", "2"), obj={"bootstrap_servers": None}, env=environment
    )
    place, opening, first, *_ = printed.stdout.splitlines()
    at = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(rf"steps\[{partition_of(b't1', 4)}\]@5  {at}  t1", place)
    assert (opening, first[:14]) == ("{", '  "step_id": "')
    assert '\n  "text": "answer 5",\n' in printed.stdout

    found, _ = said("--where", "channel=val", "--json", "--last", "4")
    assert [(record["text"], record["response_tokens"]) for record in found] == [
        ("answer 3", [3, 4]),
        ("answer 5", [3, 4]),
    ]


def test_a_condition_that_names_no_field_is_a_wrong_use() -> None:
    result = CliRunner().invoke(tail, ("steps", "--where", "colour=red"), obj={"bootstrap_servers": None})
    assert (result.exit_code, "trajectory_id" in result.output) == (2, True)
