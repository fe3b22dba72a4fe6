"""The value loss against the loop."""

import torch

from clawstream.trainer.algorithms.value_loss import value_loss

from . import golden
from .numbers import normal


def test_it_equals_the_loop() -> None:
    values, old, returns = normal(1), normal(2), normal(3)
    expected = [
        golden.value_loss(*numbers, 0.5)
        for numbers in zip(values.tolist(), old.tolist(), returns.tolist(), strict=True)
    ]
    torch.testing.assert_close(value_loss(values, old, returns, 0.5), torch.tensor(expected, dtype=torch.float64))
