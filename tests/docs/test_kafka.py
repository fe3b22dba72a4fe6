"""What ``docs/kafka.md`` says is so."""

import re

import pytest

from clawstream.streams.cluster.access import PROCESSES, Process, access
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import CATALOGUE
from tests.docs.blocks import DOCS

TEXT = (DOCS / "kafka.md").read_text()


@pytest.mark.parametrize("process", PROCESSES[1:])
def test_the_table_says_what_each_process_may(process: Process) -> None:
    row = next(line for line in TEXT.splitlines() if line.startswith(f"| `{process}` |"))
    _, _, reads, writes, groups, _ = row.split("|")
    found = list(access(process, KafkaSettings()))
    topics = [each for each in found if each.resource == "topic" and not each.prefixed]
    read = {each.name for each in topics if each.operations == ("Read",)}
    written = {each.name for each in topics if each.operations == ("Write",)}
    everything = {topic.name for topic in CATALOGUE}
    assert read == (everything if "every topic" in reads else set(re.findall("`([^`…]+)`", reads)))
    assert written == set(re.findall("`([^`…]+)`", writes))
    named = {each.name for each in found if each.resource == "group" and each.operations == ("Read",)}
    assert named == set(re.findall("`([^`]+)`", groups))
    assert ("describes all of ours" in groups) == any(each.name == "*" for each in found)
