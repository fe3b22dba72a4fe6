"""What is said of topics, and with which exit status."""

import json
import uuid

import pytest
from click.testing import CliRunner, Result

from clawstream.cli.topics import topics
from clawstream.streams.broker import LocalBroker
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import CATALOGUE, STEPS
from tests.builders import a_step

pytestmark = pytest.mark.kafka


def said(kafka: KafkaSettings, *arguments: str) -> Result:
    common = ("--bootstrap-servers", kafka.bootstrap_servers, "--topic-prefix", kafka.topic_prefix)
    return CliRunner().invoke(topics, (*common, *arguments), obj={"bootstrap_servers": None})


def test_topics_are_created_then_nothing_differs(broker: LocalBroker) -> None:
    kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, topic_prefix=f"cli{uuid.uuid4().hex[:8]}-")
    missing = said(kafka, "--check")
    assert (missing.exit_code, f"{kafka.topic_prefix}steps: missing: wanted 4 partitions" in missing.output) == (
        1,
        True,
    )
    created = said(kafka)
    assert (created.exit_code, f"created {kafka.topic_prefix}steps.dead" in created.output) == (0, True)
    again = said(kafka, "--check")
    assert again.exit_code == 0
    assert again.output.splitlines()[-1] == "every topic is as the catalogue says"


def test_what_is_there_is_shown(kafka: KafkaSettings) -> None:
    producer = Producer(kafka, "test")
    for _ in range(3):
        producer.send(STEPS, a_step()).result(30)
    producer.close()
    shown = said(kafka, "--check").output.splitlines()
    assert shown[0].split("  ")[0] == "topic"
    lines = {line.split()[0].removeprefix(kafka.topic_prefix): line.split()[1:] for line in shown[1:-1]}
    assert list(lines) == [topic.name for topic in CATALOGUE], "dead letters only where there are any"
    assert lines["steps"][:5] == ["4", "1", "30", "d", "3"]
    assert lines["weights"][:4] == ["1", "1", "compacted", "0"]
    assert lines["rewards"][2:4] == ["for", "ever"]

    found = json.loads(said(kafka, "--check", "--json").output)
    by_name = {each["topic"].removeprefix(kafka.topic_prefix): each for each in found["topics"]}
    assert (len(by_name), found["created"], found["differences"]) == (20, [], [])
    assert by_name["steps"]["records"] == 3
    assert by_name["steps"]["bytes_on_disk"] > by_name["feedback"]["bytes_on_disk"] == 0


def test_what_differs_has_a_mark_and_is_left_as_it_is(kafka: KafkaSettings) -> None:
    different = said(kafka, "--partitions", "7")
    assert different.exit_code == 1
    assert any(line.startswith(f"{kafka.topic_prefix}steps!") for line in different.output.splitlines())
    assert f"{kafka.topic_prefix}steps: partitions: wanted 7, found 4" in different.output
    assert "partitions are added by --add-partitions alone" in different.output
    assert said(kafka).exit_code == 0
