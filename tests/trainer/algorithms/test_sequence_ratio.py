"""GSPO against the loop over sequences."""

import pytest
import torch

from clawstream.trainer.algorithms.sequence_ratio import gspo

from . import golden
from .numbers import ROW, ROW_COUNT, by_row, logprobs, normal


@pytest.mark.parametrize("spread", [0.001, 0.3, 2.0])
def test_it_equals_the_loop(spread: float) -> None:
    new, old, advantages = logprobs(1, spread), logprobs(2, spread), normal(3)
    found = gspo(new, old, advantages, ROW, ROW_COUNT, clip_low=3e-4, clip_high=4e-4, dual_clip=3.0).loss
    rows = list(zip(by_row(new), by_row(old), by_row(advantages), strict=True))
    torch.testing.assert_close(found, torch.tensor(golden.gspo(rows, 3e-4, 4e-4, 3.0), dtype=torch.float64))


def test_the_gradient_is_that_of_the_sequence_ratio() -> None:
    """With one advantage per row, the token form has the gradient of ``|row| s A``."""
    of_rows = torch.tensor([1.0, -0.5, 2.0], dtype=torch.float64)
    new, old = logprobs(1, 0.1).requires_grad_(), logprobs(2, 0.1)
    gspo(new, old, of_rows[ROW], ROW, ROW_COUNT, clip_low=0.9, clip_high=9.0, dual_clip=9.0).loss.sum().backward()
    found, new.grad = new.grad, None
    loss = torch.zeros((), dtype=torch.float64)
    for number in range(ROW_COUNT):
        s = (new - old)[number == ROW].mean().exp()
        loss = loss - (number == ROW).sum() * s * of_rows[number]
    loss.backward()
    torch.testing.assert_close(found, new.grad)
