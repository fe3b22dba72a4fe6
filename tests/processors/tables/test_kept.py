from typing import Any

from msgspec.structs import replace

from clawstream.processors.readiness.assembly import TrajectoryState, opened
from clawstream.processors.tables.kept import Kept, key_of, owner_of
from clawstream.schemas import Step, encode
from tests.builders import a_step

KEY = key_of("t1", "default")


def kept(states: dict[bytes, bytes] | None = None) -> Kept[TrajectoryState, Step]:
    return Kept({} if states is None else states, {}, TrajectoryState, Step)


def a_state(**fields: Any) -> TrajectoryState:
    return replace(opened(a_step(), 0), **fields)


def test_a_key_belongs_to_the_key_of_its_source_topic() -> None:
    assert owner_of(key_of("t1", "default", "s1")) == b"t1"
    assert key_of("t1", "a") != key_of("t1", "b")


def test_a_state_comes_back_from_its_bytes() -> None:
    states: dict[bytes, bytes] = {}
    table = kept(states)
    table.put(KEY, a_state(step_ids=("s1", "s2")))
    table.flush()
    again = kept(states)
    again.index()
    assert again.get(KEY) == a_state(step_ids=("s1", "s2"))
    assert [key for key, _ in again.open_items()] == [KEY]


def test_closed_states_are_given_once_when_they_are_old_in_the_order_of_closing() -> None:
    states: dict[bytes, bytes] = {}
    first = kept(states)
    for name, closed_ms in (("b", 20), ("a", 10), ("c", 30)):
        first.put(key_of(name), a_state(closed_ms=closed_ms, put_out=True))
    again = kept(states)
    again.index()
    assert [key for key, _ in again.closed_before(25, 100)] == [key_of("a"), key_of("b")]
    assert again.closed_before(25, 100) == []
    assert again.closed_count == 1


def test_closing_takes_a_state_out_of_the_open_ones() -> None:
    table = kept()
    table.put(KEY, a_state())
    table.put(KEY, a_state(closed_ms=5, put_out=True))
    assert (table.open_items(), table.closed_count) == ([], 1)
    table.put(KEY, a_state(closed_ms=5, step_ids=("late",)))
    assert table.closed_count == 1


def test_payloads_are_given_in_the_order_asked_for_and_go_alone() -> None:
    table, steps = kept(), [a_step(step_id="1"), a_step(step_id="2")]
    for step in steps:
        table.put_payload(KEY, step.step_id, encode(step))
    table.put(KEY, a_state())
    assert table.payloads(KEY, ("2", "1")) == steps[::-1]
    table.drop_payloads(KEY, ("1", "2"))
    assert table.payloads(KEY, ("1", "2")) == []
    assert table.get(KEY) is not None


def test_a_forgotten_state_is_gone() -> None:
    states: dict[bytes, bytes] = {}
    table = kept(states)
    state = a_state(closed_ms=1, put_out=True)
    table.put(KEY, state)
    table.forget(KEY, state)
    assert (table.get(KEY), states) == (None, {})


def test_only_so_many_closed_states_are_remembered() -> None:
    table = kept()
    for number in range(5):
        table.put(key_of(str(number)), a_state())
        table.put(key_of(str(number)), a_state(closed_ms=number, put_out=True))
    assert [key for key, _ in table.closed_before(0, 3)] == [key_of("0"), key_of("1")]
    assert table.closed_count == 3
