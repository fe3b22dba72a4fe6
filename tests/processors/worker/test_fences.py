import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.processors.worker.fences import Fences, GapError


def test_a_partition_that_is_read_to_its_end_is_settled_now() -> None:
    fences = Fences()
    fences.took(0, 69)
    fences.observe({0: 70}, 1_000)
    assert fences.settled_ms(0) == 1_000


def test_a_partition_that_is_behind_is_not_settled() -> None:
    fences = Fences()
    fences.observe({0: 70}, 1_000)
    fences.took(0, 68)
    fences.observe({0: 90}, 2_000)
    assert fences.settled_ms(0) == 0


def test_the_fence_is_passed_though_the_end_moves_on() -> None:
    fences = Fences()
    fences.observe({0: 70}, 1_000)
    fences.took(0, 69)
    fences.observe({0: 90}, 2_000)
    assert fences.settled_ms(0) == 1_000
    fences.took(0, 89)
    fences.observe({0: 200}, 3_000)
    assert fences.settled_ms(0) == 2_000


def test_an_empty_partition_is_settled() -> None:
    fences = Fences()
    fences.observe({3: 0}, 1_000)
    assert fences.settled_ms(3) == 1_000


def test_an_assignment_starts_where_others_stopped() -> None:
    fences = Fences()
    fences.took(0, 79)
    fences.start({0: 70, 1: 5})
    assert fences.taken == {0: 70, 1: 5}
    assert fences.settled_ms(0) == 0


def test_a_record_that_is_read_again_takes_nothing_back() -> None:
    fences = Fences()
    fences.start({0: 3})
    for offset in (3, 4, 3):
        fences.expect(0, offset)
        fences.took(0, offset)
    assert fences.taken == {0: 5}


def test_a_record_that_was_left_out_is_noticed() -> None:
    fences = Fences()
    fences.start({0: 3})
    fences.expect(0, 3)
    with pytest.raises(GapError, match="record 4 is due, but 6 was read"):
        fences.expect(0, 6)


@given(st.lists(st.tuples(st.sampled_from(["append", "take", "observe"]), st.integers(1, 5))))
def test_all_that_was_in_the_log_when_it_is_settled_has_been_taken(acts: list[tuple[str, int]]) -> None:
    fences, appended_at, taken = Fences(), list[int](), 0
    for now_ms, (act, count) in enumerate(acts, start=1):
        if act == "append":
            appended_at += [now_ms] * count
        elif act == "take":
            for offset in range(taken, min(taken + count, len(appended_at))):
                fences.took(0, offset)
                taken = offset + 1
        else:
            fences.observe({0: len(appended_at)}, now_ms)
        assert all(at > fences.settled_ms(0) for at in appended_at[taken:])
