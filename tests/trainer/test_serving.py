"""Who is waited for, and for how long."""

from clawstream.trainer.serving import Serving
from tests.builders import says


def serving(announced: int = 7) -> Serving:
    found = Serving("policy", deadline_seconds=10.0)
    found.announce(announced, 0.0)
    return found


def test_without_nodes_nothing_is_known() -> None:
    nodes = serving()
    assert nodes.publish_lag(0.0) is None
    nodes.note(says("other", 1, model="another"), 0.0)
    assert nodes.publish_lag(0.0) is None


def test_the_slowest_live_node_counts() -> None:
    nodes = serving()
    nodes.note(says("a", 7), 0.0)
    nodes.note(says("b", 5, health="swapping"), 0.0)
    assert nodes.publish_lag(1.0) == 2
    nodes.note(says("b", 7), 2.0)
    assert nodes.publish_lag(2.0) == 0
    nodes.announce(8, 3.0)
    assert nodes.publish_lag(3.0) == 1


def test_a_node_that_stops_or_falls_silent_is_not_waited_for() -> None:
    nodes = serving()
    for node in ("a", "b", "c"):
        nodes.note(says(node, 6 if node == "b" else 7), 0.0)
    nodes.note(says("b", 6, health="stopped"), 1.0)
    assert nodes.publish_lag(1.0) == 0
    nodes.announce(8, 2.0)
    nodes.note(says("a", 8), 11.0)
    assert nodes.publish_lag(12.0) == 0
    assert nodes.fenced(12.0) == 1  # c was silent


def test_a_node_that_beats_but_does_not_follow_is_fenced_and_may_come_back() -> None:
    nodes = serving(6)
    nodes.note(says("a", 6), 0.0)
    nodes.announce(7, 5.0)
    for at_seconds in (9.0, 14.0, 16.0):
        nodes.note(says("a", 6), at_seconds)
    assert nodes.publish_lag(15.0) == 1
    assert nodes.publish_lag(16.0) is None
    nodes.announce(8, 16.0)
    assert nodes.fenced(16.0) == 1  # a newer version gives it no new time
    nodes.note(says("a", 8), 17.0)
    assert (nodes.publish_lag(17.0), nodes.fenced(17.0)) == (0, 0)


def test_what_is_served_or_swapped_in_is_needed_and_what_the_silent_served_is_not() -> None:
    nodes = serving(6)
    nodes.note(says("a", 2), 0.0)
    nodes.note(says("b", 6, health="swapping"), 8.0)
    for version in (7, 8, 9):
        nodes.announce(version, 8.0)
    assert nodes.needed(9.0) == {2, 6, 7, 8, 9}
    nodes.note(says("b", 8), 9.0)
    assert nodes.needed(10.0) == {2, 8}
    assert nodes.needed(11.0) == {8}  # a is silent
    nodes.note(says("a", 2), 60.0)
    assert nodes.fenced(60.0) == 2
    assert nodes.needed(60.0) == {2}  # far behind, and heard: it serves


def test_an_adapters_trainer_waits_for_the_nodes_of_its_adapter_alone() -> None:
    nodes = Serving("policy-acme", deadline_seconds=10.0)
    nodes.announce(4, 0.0)
    nodes.note(says("n1", 0), 0.0)
    nodes.note(says("n1:policy-other", 1, model="policy-other", base="policy"), 0.0)
    assert nodes.publish_lag(1.0) is None
    nodes.note(says("n1:policy-acme", 3, model="policy-acme", base="policy"), 0.0)
    assert (nodes.publish_lag(1.0), nodes.needed(1.0)) == (1, {3})
