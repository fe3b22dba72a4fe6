"""When an open trajectory is looked at again."""

from clawstream.processors.readiness.assembly import on_feedback
from clawstream.processors.readiness.ending import look_again_ms
from clawstream.processors.settings import ProcessorsSettings
from tests.builders import a_feedback

SETTINGS = ProcessorsSettings(idle_seconds=60)


def test_what_waits_for_records_before_it_is_looked_at_the_less_the_longer_it_waits() -> None:
    completed, _ = on_feedback(None, a_feedback(reward=1.0), 1_000)
    assert [look_again_ms(completed, now_ms, 0, SETTINGS) for now_ms in (1_000, 1_400, 5_000)] == [1_000, 1_500, 6_000]


def test_what_goes_on_is_looked_at_when_it_may_be_idle() -> None:
    opened, _ = on_feedback(None, a_feedback("opened"), 1_000)
    assert look_again_ms(opened, 2_000, 2_000, SETTINGS) == 61_000
