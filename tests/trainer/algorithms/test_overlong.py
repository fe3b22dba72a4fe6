"""DAPO's penalty at its corners."""

import pytest

from clawstream.trainer.algorithms.overlong import overlong_penalty


@pytest.mark.parametrize(("length", "expected"), [(0, 0.0), (80, 0.0), (90, -0.5), (100, -1.0), (500, -1.0)])
def test_it_grows_over_the_buffer_and_stays_at_one(length: int, expected: float) -> None:
    assert overlong_penalty(length, 100, 20) == expected
