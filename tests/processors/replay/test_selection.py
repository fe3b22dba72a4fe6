from datetime import timedelta

import pytest

from clawstream.processors.replay.selection import Placed, Selection
from clawstream.schemas import Sample, Step
from clawstream.streams.reading.query import condition
from tests.builders import NOON, a_feedback, a_sample, a_step

WHERE = (condition("model=policy", Step.__struct_fields__), condition("text=yes", Step.__struct_fields__))


def trajectory(*texts: str) -> list[Placed]:
    steps = [a_step(text=text, received_at=NOON + timedelta(hours=n)) for n, text in enumerate(texts)]
    placed = [Placed(partition=2, offset=10 + n, event=step) for n, step in enumerate(steps)]
    return [*placed, Placed(partition=2, offset=0, event=a_feedback())]


@pytest.mark.parametrize(
    ("selection", "takes"),
    [
        (Selection(), True),
        (Selection(trajectories=frozenset({"t1"})), True),
        (Selection(trajectories=frozenset({"t2"})), False),
        (Selection(since=NOON + timedelta(hours=1)), True),
        (Selection(since=NOON + timedelta(hours=2)), False),
        (Selection(until=NOON), False),
        (Selection(until=NOON + timedelta(seconds=1)), True),
        (Selection(where=WHERE), True),
        (Selection(where=WHERE, until=NOON + timedelta(seconds=1)), False),  # no one step fulfils both
        (Selection(offsets={"steps": {2: (11, 12)}}), True),
        (Selection(offsets={"steps": {2: (12, 90), 1: (0, 90)}}), False),
    ],
)
def test_a_trajectory_is_taken_for_one_of_its_steps(selection: Selection, takes: bool) -> None:
    assert selection.takes(trajectory("no", "yes")) is takes


def test_feedback_alone_is_taken_only_with_everything() -> None:
    assert Selection().takes(trajectory())
    assert not Selection(since=NOON).takes(trajectory())


def test_a_record_is_copied_for_itself() -> None:
    high = Selection(where=(condition("reward>0.5", Sample.__struct_fields__),))
    assert (high.takes_record(a_sample(1.0)), high.takes_record(a_sample(0.0))) == (True, False)
    assert not Selection(trajectories=frozenset({"t2"})).takes_record(a_sample())


def test_what_is_asked_can_be_compared() -> None:
    assert Selection(where=WHERE, since=NOON).described() == {
        "trajectories": [],
        "since": "2026-01-01T12:00:00+00:00",
        "until": None,
        "where": ["model=policy", "text=yes"],
        "offsets": {},
    }
