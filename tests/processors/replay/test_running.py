import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clawstream.processors.readiness.assembly import Event
from clawstream.processors.replay.running import Replay, run
from clawstream.processors.replay.selection import Selection
from clawstream.processors.replay.side import ReplayError, Side
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.testing import conversation, recorded
from clawstream.schemas import Step, encode
from clawstream.streams.lag.groups import LagReader
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.reading.query import condition
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import CATALOGUE, FEEDBACK, NEXT_STATES, REJECTED, REWARDS, SAMPLES, STEPS

pytestmark = pytest.mark.kafka

SOURCE = """
from clawstream.processors.rewards import Episode, reward

@reward
def length(episode: Episode) -> float:
    return float(len(episode.text)) * FACTOR
"""


def produce(kafka: KafkaSettings, events: Sequence[Event]) -> None:
    producer = Producer(kafka, "test")
    for event in events:
        topic = STEPS if isinstance(event, Step) else FEEDBACK
        producer.send_bytes(kafka.name(topic.name), event.trajectory_id.encode(), encode(event))
    producer.close()


def judge(folder: Path, factor: int = 1) -> ProcessorsSettings:
    path = folder / f"mine{factor}.py"
    path.write_text(SOURCE.replace("FACTOR", str(factor)))
    return ProcessorsSettings(include=str(path), reward_weights="agent=0")


def side(kafka: KafkaSettings, into: str) -> KafkaSettings:
    return kafka.model_copy(update={"topic_prefix": kafka.name(f"{into}-")})


def test_rewards_over_history_are_printed_and_nothing_is_written(
    kafka: KafkaSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = {name: conversation(("hi", name * 3), trajectory=name, reward=1.0) for name in ("a", "bb")}
    produce(kafka, [*events["a"], *events["bb"], *events["a"]])  # submitted again
    settings = judge(tmp_path)

    assert run(settings, kafka, Replay(save_to=str(tmp_path / "events.jsonl"))) == 0
    given = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {reward["trajectory_id"]: reward["value"] for reward in given} == {"a": 3.0, "bb": 6.0}
    assert sorted(recorded(tmp_path / "events.jsonl"), key=str) == sorted(events["a"] + events["bb"], key=str)
    assert read_all(kafka, REWARDS) == []

    def printed(**asked: Any) -> int:
        assert run(settings, kafka, Replay(selection=Selection(**asked))) == 0
        return len(capsys.readouterr().out.splitlines())

    assert printed(trajectories=frozenset({"a"})) == 1
    assert printed(since=datetime(2027, 1, 1, tzinfo=UTC)) == 0
    assert printed(until=datetime(2027, 1, 1, tzinfo=UTC)) == 2
    assert printed(where=(condition("text=aaa", Step.__struct_fields__),)) == 1
    assert printed(offsets={"steps": dict.fromkeys(range(4), (0, 1))}) in (1, 2)


def test_history_judged_again_is_a_derived_topic(kafka: KafkaSettings, tmp_path: Path) -> None:
    produce(kafka, [event for name in ("a", "bb") for event in conversation(("hi", name), trajectory=name, reward=1.0)])
    before = LagReader(kafka).ends(CATALOGUE)
    assert run(judge(tmp_path), kafka, Replay(into="once")) == 0
    assert run(judge(tmp_path, factor=10), kafka, Replay(into="again")) == 0
    assert LagReader(kafka).ends(CATALOGUE) == before
    for into, factor in (("once", 1), ("again", 10)):
        samples = {sample.trajectory_id: sample.reward for sample in read_all(side(kafka, into), SAMPLES)}
        assert samples == {"a": 1.0 * factor, "bb": 2.0 * factor}
        assert len(read_all(side(kafka, into), REWARDS)) == 4  # the agent's too
        assert read_all(side(kafka, into), REJECTED) == []

    assert run(judge(tmp_path), kafka, Replay(into="once")) == 0  # nothing is left to do
    assert len(read_all(side(kafka, "once"), SAMPLES)) == 2
    assert LagReader(kafka).lag("replay-once", STEPS) == 0
    with pytest.raises(ReplayError, match="hold what another replay, or somebody else, has written"):
        run(judge(tmp_path, factor=2), kafka, Replay(into="once"))


def test_what_was_sent_and_not_marked_comes_again_as_it_was(
    kafka: KafkaSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    produce(kafka, [event for name in ("a", "bb") for event in conversation(("hi", name), trajectory=name, reward=1.0)])
    settings, replay = judge(tmp_path), Replay(into="twice")
    with monkeypatch.context() as patch:
        patch.setattr(Side, "reached", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(settings, kafka, replay)
    assert run(settings, kafka, replay) == 0
    for topic, count in ((SAMPLES, 2), (REWARDS, 4), (NEXT_STATES, 0)):
        written = [encode(record) for record in read_all(side(kafka, "twice"), topic)]
        assert (len(written), len(set(written))) == (2 * count, count)
