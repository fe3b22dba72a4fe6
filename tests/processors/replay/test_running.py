import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clawstream.processors.replay import run
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.testing import conversation, recorded
from clawstream.schemas import Step, encode
from clawstream.streams.consumer import read_all
from clawstream.streams.producer import Producer
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import FEEDBACK, REWARDS, STEPS

SOURCE = """
from clawstream.processors.rewards import Episode, reward

@reward
def length(episode: Episode) -> float:
    return float(len(episode.text))
"""


@pytest.mark.kafka
def test_rewards_over_history_are_printed_and_nothing_is_written(
    kafka: KafkaSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(SOURCE)
    events = {name: conversation(("hi", name * 3), trajectory=name, reward=1.0) for name in ("a", "bb")}
    producer = Producer(kafka, "test")
    for event in [*events["a"], *events["bb"], *events["a"]]:  # submitted again
        topic = STEPS if isinstance(event, Step) else FEEDBACK
        producer.send_bytes(kafka.name(topic.name), event.trajectory_id.encode(), encode(event))
    producer.close()
    settings = ProcessorsSettings(include=str(tmp_path / "mine.py"))

    assert run(settings, kafka, save_to=str(tmp_path / "events.jsonl")) == 0
    given = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {reward["trajectory_id"]: reward["value"] for reward in given} == {"a": 3.0, "bb": 6.0}
    assert sorted(recorded(tmp_path / "events.jsonl"), key=str) == sorted(events["a"] + events["bb"], key=str)
    assert read_all(kafka, REWARDS) == []

    assert run(settings, kafka, trajectories=["a"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert run(settings, kafka, since=datetime(2027, 1, 1, tzinfo=UTC)) == 0
    assert capsys.readouterr().out == ""
