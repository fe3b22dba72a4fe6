"""Counts, and the summary."""

from clawstream.agents.tally import Tally


def begun(tally: Tally) -> Tally:
    tally.begins()
    tally.opens()
    return tally


def test_a_summary_of_everything_that_can_happen() -> None:
    tally = Tally(tasks=3, rollouts=3)
    begun(tally).completes("g1", 1.0)
    begun(tally).completes("g1", 0.0)
    begun(tally).completes("g1", None)
    begun(tally).fails("g2", "ValueError: no")
    begun(tally).fails("g2", "ValueError: no")
    begun(tally).is_interrupted()
    begun(tally)
    tally.begins()
    tally.begins()
    tally.not_begun()
    assert (tally.open, tally.waiting, tally.begun, tally.ended, tally.tasks_finished) == (1, 1, 7, 5, 1)
    assert tally.lines(1.25) == [
        "tasks         1 of 3",
        "trajectories  3 completed, 2 failed, 1 interrupted, 2 not begun",
        "mean reward   0.5 (1 completed without a reward)",
        "time          1.2 s",
        "failed        2 x ValueError: no",
    ]


def test_a_mean_reward_that_is_not_known_is_not_zero() -> None:
    tally = Tally(tasks=1, rollouts=1)
    begun(tally).fails("g", "no")
    assert tally.mean_reward is None
    assert "mean reward   none known" in tally.lines(0)


def test_reasons_are_bounded() -> None:
    tally = Tally(tasks=1, rollouts=100)
    for number in range(100):
        begun(tally).fails("g", f"reason {number % 50}")
    assert len(tally.reasons) == 5
    assert sum(tally.reasons.values()) + tally.other_reasons == 100
    assert tally.lines(0)[-1] == "failed        90 x for other reasons"
    assert tally.tasks_finished == 1
