"""CISPO: the gradient is that of REINFORCE with a clipped weight, on every token."""

import torch

from clawstream.trainer.algorithms.cispo import cispo

from . import golden
from .numbers import logprobs, normal


def test_value_and_gradient_equal_the_loop() -> None:
    new, old, advantages = logprobs(1, 2.0).requires_grad_(), logprobs(2, 2.0), normal(3)
    found = cispo(new, old, advantages, clip_low=1.0, clip_high=4.0)
    found.loss.sum().backward()
    weights = [min(max(golden.ratio(n, o), 0.0), 5.0) for n, o in zip(new.tolist(), old.tolist(), strict=True)]
    expected = -torch.tensor(weights, dtype=torch.float64) * advantages
    torch.testing.assert_close(new.grad, expected)
    torch.testing.assert_close(found.loss.detach(), expected * new.detach())
    assert found.clipped.tolist() == [weight == 5.0 for weight in weights]
