from hypothesis import given
from hypothesis import strategies as st

from clawstream.processors.tables.agenda import Agenda


def test_what_was_touched_is_looked_at_once_and_what_has_a_time_at_that_time() -> None:
    agenda = Agenda()
    agenda.look_at(b"a", 10)
    agenda.touch(b"b")
    assert agenda.take(5) == [b"b"]
    assert agenda.take(9) == []
    assert agenda.take(10) == [b"a"]
    assert agenda.take(99) == []


def test_the_time_that_was_said_last_counts() -> None:
    agenda = Agenda()
    agenda.look_at(b"a", 10)
    agenda.look_at(b"a", 20)
    assert agenda.take(15) == []
    assert agenda.take(20) == [b"a"]
    agenda.look_at(b"a", 30)
    agenda.touch(b"a")
    assert (agenda.take(25), agenda.take(30)) == ([b"a"], [])


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.integers(0, 50)), max_size=40))
def test_no_time_is_missed(said: list[tuple[bytes, int]]) -> None:
    agenda, last = Agenda(), dict(said)
    for key, at in said:
        agenda.look_at(key, at)
    taken = [(now, key) for now in range(51) for key in agenda.take(now)]
    assert sorted(taken) == sorted((at, key) for key, at in last.items())


def test_it_grows_with_what_is_open_and_not_with_what_was_said() -> None:
    agenda = Agenda()
    for moment in range(100_000):
        agenda.look_at(b"a", moment)
    assert len(agenda._heap) < 2000
