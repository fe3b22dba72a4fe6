"""A trajectory stays with its node."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.gateway.upstreams.follow import Nodes
from clawstream.gateway.upstreams.routing import live, ranked, serving, starting
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


def test_nodes_that_start_are_known() -> None:
    late = NOON - timedelta(seconds=31)
    nodes = [a_node("n1", health="starting"), a_node("n2", health="starting", at=late), a_node("n3")]
    assert [node.node for node in starting(nodes, NOON, 30.0)] == ["n1"]


def test_a_node_with_more_than_its_share_passes_calls_on_to_the_one_with_the_fewest() -> None:
    home, *others = (node.node for node in ranked(NODES, "t1"))
    few = dict.fromkeys([home, *others], 3)
    assert ranked(NODES, "t1", few)[0].node == home
    many = few | {home: 30, others[2]: 1}
    assert [node.node for node in ranked(NODES, "t1", many)][:1] == [others[2]]
    assert ranked(NODES, "t1", many)[-1].node == home


@given(st.lists(st.integers(0, 50), min_size=1, max_size=5), st.text(max_size=5))
def test_every_node_is_tried_once_and_no_first_one_has_far_more_than_its_share(calls: list[int], name: str) -> None:
    nodes = NODES[: len(calls)]
    under_way = {node.node: count for node, count in zip(nodes, calls, strict=True)}
    found = [node.node for node in ranked(nodes, name, under_way)]
    assert sorted(found) == sorted(under_way)
    assert under_way[found[0]] <= max(4, 1.25 * (sum(calls) + 1) / len(calls))


def test_a_node_that_failed_is_ailing_until_it_speaks_again() -> None:
    nodes = Nodes(30.0, lambda: NOON)
    nodes.apply(a_node())
    nodes.ailing(a_node())
    assert [nodes.is_ailing(node) for node in nodes.live()] == [True]
    nodes.apply(a_node(at=NOON + timedelta(seconds=1)))
    assert [nodes.is_ailing(node) for node in nodes.live()] == [False]


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
