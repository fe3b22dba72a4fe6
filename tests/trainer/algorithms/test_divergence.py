"""KL estimators against the loop."""

import torch

from clawstream.trainer.algorithms.divergence import k1, k3

from . import golden
from .numbers import logprobs


def test_estimators_equal_the_loop() -> None:
    new, other = logprobs(1, 5.0), logprobs(2, 5.0)
    expected = [golden.k3(*pair) for pair in zip(new.tolist(), other.tolist(), strict=True)]
    torch.testing.assert_close(k3(new, other), torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(k1(new, other), new - other)
    assert float(k3(new, other).min()) >= 0
