"""A trajectory stays with its node."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from clawstream.gateway.follow import Nodes
from clawstream.gateway.routing import live, ranked, serving
from tests.builders import NOON
from tests.gateway.samples import a_node

NODES = [a_node(f"n{number}") for number in range(5)]


def test_the_same_trajectory_takes_the_same_node_in_whatever_order_they_are_given() -> None:
    assert ranked(NODES, "t1") == ranked(list(reversed(NODES)), "t1")


def test_only_the_trajectories_of_a_lost_node_move() -> None:
    for number in range(200):
        first, second, *_ = ranked(NODES, f"t{number}")
        without = [node for node in NODES if node != first]
        assert ranked(without, f"t{number}")[0] == second
        others = [node for node in NODES if node != second]
        assert ranked(others, f"t{number}")[0] == first


def test_trajectories_spread_over_nodes() -> None:
    share = Counter(ranked(NODES, f"t{number}")[0].node for number in range(1000))
    assert all(140 < count < 260 for count in share.values())


@pytest.mark.parametrize(
    ("fields", "takes_calls"),
    [
        ({}, True),
        ({"health": "swapping"}, True),
        ({"health": "starting"}, False),
        ({"health": "stopped"}, False),
        ({"at": NOON - timedelta(seconds=31)}, False),
        ({"at": NOON + timedelta(seconds=5)}, True),
    ],
)
def test_live_nodes_serve_and_said_so_lately(fields: dict[str, Any], takes_calls: bool) -> None:
    assert bool(live([a_node(**fields)], NOON, 30.0)) is takes_calls


def test_a_named_model_is_preferred_and_any_name_is_accepted() -> None:
    policy, judge = a_node("a", model="policy"), a_node("b", model="judge")
    assert serving([policy, judge], "judge") == [judge]
    assert serving([policy, judge], "default") == [policy, judge]
    assert serving([policy, judge], None) == [policy, judge]


def test_a_node_that_cannot_be_reached_is_left_out_until_it_speaks_again() -> None:
    nodes = Nodes(30.0, lambda: NOON)
    nodes.apply(a_node())
    nodes.unreachable(a_node())
    assert nodes.live() == []
    again = a_node(at=NOON + timedelta(seconds=1))
    nodes.apply(again)
    assert nodes.live() == [again]
