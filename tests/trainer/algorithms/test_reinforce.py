"""Returns against the sum."""

import pytest
import torch

from clawstream.trainer.algorithms.reinforce import returns_to_go

from . import golden
from .numbers import ROW, ROW_COUNT, by_row, normal


@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_returns_equal_the_discounted_sums(gamma: float) -> None:
    rewards = normal(1)
    expected = [value for row in by_row(rewards) for value in golden.returns(row, gamma)]
    found = returns_to_go(rewards, ROW, ROW_COUNT, gamma=gamma)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))
