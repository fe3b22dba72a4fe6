"""Nodes load one after the other, and nobody waits for who is gone."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.rollout.turns import has_turn
from clawstream.schemas import NodeStatus
from tests.builders import NOON, says


@pytest.mark.parametrize(
    ("others", "turn"),
    [
        ([], True),
        ([says("a", 7)], True),
        ([says("a", 6)], False),
        ([says("a", 6, health="swapping")], False),
        ([says("c", 6)], True),
        ([says("a", 6, model="policy-acme")], True),
        ([says("a", 6, health="stopped")], True),
        ([says("a", 6, at=NOON - timedelta(seconds=16))], True),
        ([says("a", 6), says("c", 6)], False),
        ([says("a", 6), says("c", 6), says("d", 6)], True),  # two of four
    ],
)
def test_who_loads_now(others: list[NodeStatus], turn: bool) -> None:
    assert has_turn("b", "policy", 7, others, NOON) is turn


@given(versions=st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(5, 7), min_size=1))
def test_somebody_loads_and_at_most_half(versions: dict[str, int]) -> None:
    heard = [says(node, version) for node, version in versions.items()]
    behind = [node for node, version in versions.items() if version < 7]
    loading = [node for node in behind if has_turn(node, "policy", 7, heard, NOON)]
    assert min(len(behind), 1) <= len(loading) <= max(1, len(versions) // 2)
