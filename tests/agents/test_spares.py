"""Clients are used by one call at a time, and again."""

import itertools

from clawstream.agents.spares import Spares


def test_a_client_is_made_only_when_all_are_in_use_and_the_last_one_is_used_first() -> None:
    made = itertools.count()
    spares = Spares(lambda: next(made))
    with spares.one() as first, spares.one() as second:
        assert (first, second) == (0, 1)
    with spares.one() as again:
        assert again == 0
        with spares.one() as other, spares.one() as new:
            assert (other, new) == (1, 2)
    assert sorted(spares.drain()) == [0, 1, 2]
    assert list(spares.drain()) == []
