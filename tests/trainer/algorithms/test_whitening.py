"""Whitening against the loop."""

import torch

from clawstream.trainer.algorithms.whitening import whiten

from . import golden
from .numbers import normal


def test_it_equals_the_loop() -> None:
    advantages = normal(1)
    expected = torch.tensor(golden.whiten(advantages.tolist()), dtype=torch.float64)
    torch.testing.assert_close(whiten(advantages), expected)


def test_one_token_is_not_whitened() -> None:
    assert torch.equal(whiten(torch.tensor([0.4])), torch.tensor([0.4]))
