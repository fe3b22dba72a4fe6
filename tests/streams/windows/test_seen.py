"""Consumed samples are remembered in bounded memory."""

from hypothesis import given
from hypothesis import strategies as st

from clawstream.streams.windows.seen import SeenSamples


def test_the_oldest_is_forgotten_beyond_the_limit() -> None:
    seen = SeenSamples(2)
    for sample_id in ("a", "b", "c"):
        seen.add(sample_id)
    assert [sample_id in seen for sample_id in "abc"] == [False, True, True]


@given(st.lists(st.text(max_size=3), max_size=30))
def test_packing_keeps_ids_and_their_order(sample_ids: list[str]) -> None:
    seen = SeenSamples(5)
    for sample_id in sample_ids:
        seen.add(sample_id)
    again = SeenSamples(5, seen.pack())
    assert len(again) == len(seen) <= 5
    assert again.pack() == seen.pack()
    assert all((sample_id in again) == (sample_id in seen) for sample_id in sample_ids)
