from pathlib import Path

from clawstream.processors.rewards import Episode, reward
from clawstream.processors.testing import conversation, feedback, recorded, run, save
from clawstream.schemas import encode
from tests.builders import NOON


@reward
def length(episode: Episode) -> float:
    return float(len(episode.text))


def test_events_come_back_from_a_file_as_they_were(tmp_path: Path) -> None:
    events = conversation(("2 + 2?", "4"), ("sure?", "yes"), metadata={"answer": "4"}, reward=1.0)
    save(tmp_path / "events.jsonl", events)
    assert recorded(tmp_path / "events.jsonl") == events


def test_the_same_events_give_the_same_bytes() -> None:
    events = [
        event for name in "abcd" for event in conversation(("hi", name * 3), trajectory=name, group=str(name > "b"))
    ]
    first, again = (run(length, events, group_size=2) for _ in range(2))
    assert [encode(sample) for sample in first.samples] == [encode(sample) for sample in again.samples]
    assert len(first.samples) == 4


def test_every_step_comes_out_once_whatever_happens_to_it() -> None:
    events = [
        *conversation(("hi", "ho"), trajectory="a", completed=False),
        *conversation(("hi", "ho"), trajectory="b"),
        *conversation(("hi", "ho"), trajectory="c", completed=False),
        feedback("aborted", trajectory_id="c", group_id="c", at=NOON.replace(hour=0, second=2)),
        *conversation(("hi", ""), trajectory="d", trainable=False, untrainable_reason="empty: no text"),
    ]
    outcome = run(length, events)
    ends = [step for sample in outcome.samples for step in sample.step_ids]
    ends += [rejection.step_id for rejection in outcome.rejected]
    assert sorted(ends) == ["a-0", "b-0", "c-0", "d-0"]
    assert {rejection.step_id: rejection.reason for rejection in outcome.rejected} == {"c-0": "aborted", "d-0": "empty"}
    assert {trajectory.trajectory_id: trajectory.closed_by for trajectory in outcome.trajectories} == {
        "a": "idle",
        "b": "completed",
        "c": "aborted",
        "d": "completed",
    }
