"""The clipped surrogate against plain float64 loops, and the identities that it must keep."""

from typing import Any

import pytest
import torch

from clawstream.trainer.algorithms.clip import effective_sample_size, ppo_clip

from . import golden
from .numbers import logprobs, normal

CLIPS: dict[str, Any] = {"clip_low": 0.2, "clip_high": 0.28, "dual_clip": 3.0}


@pytest.mark.parametrize("dual", [None, 3.0])
@pytest.mark.parametrize("spread", [0.01, 0.3, 2.0, 30.0])
def test_it_equals_the_loop(spread: float, dual: float | None) -> None:
    new, old, advantages = logprobs(1, spread), logprobs(2, spread), normal(4)
    found = ppo_clip(new, old, advantages, clip_low=0.2, clip_high=0.28, dual_clip=dual).loss
    expected = [
        golden.clipped(golden.ratio(n, o), a, 0.2, 0.28, dual)
        for n, o, a in zip(new.tolist(), old.tolist(), advantages.tolist(), strict=True)
    ]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=0)


def test_before_the_first_step_the_gradient_is_the_policy_gradient() -> None:
    new, advantages = logprobs(1).requires_grad_(), normal(3)
    ppo_clip(new, new.detach(), advantages, **CLIPS).loss.sum().backward()
    torch.testing.assert_close(new.grad, -advantages)


def test_no_advantage_no_gradient() -> None:
    new = logprobs(1).requires_grad_()
    ppo_clip(new, logprobs(2), torch.zeros_like(new), **CLIPS).loss.sum().backward()
    assert new.grad is not None
    assert not new.grad.any()


def test_clipped_says_exactly_where_no_gradient_flows() -> None:
    new = logprobs(1).requires_grad_()
    policy = ppo_clip(new, logprobs(2), normal(3), **CLIPS)
    policy.loss.sum().backward()
    assert new.grad is not None
    assert torch.equal(policy.clipped, new.grad == 0)
    assert 0 < float(policy.clipped.double().mean()) < 1


@pytest.mark.parametrize(
    ("log_ratio", "advantage", "expected"),
    [
        (0.0, 1.0, -1.0),
        (1.0, 1.0, -1.28),  # up with a positive advantage: held at 1 + clip_high
        (-1.0, 1.0, -0.36787944117144233),
        (-1.0, -1.0, 0.8),  # down with a negative advantage: held at 1 - clip_low
        (1.0, -1.0, 2.718281828459045),
        (2.0, -1.0, 3.0),  # far up with a negative advantage: held by the dual clip
    ],
)
def test_each_branch_of_the_clip(log_ratio: float, advantage: float, expected: float) -> None:
    zero = torch.zeros(1, dtype=torch.float64)
    loss = ppo_clip(zero + log_ratio, zero, zero + advantage, **CLIPS).loss
    assert float(loss) == pytest.approx(expected, rel=1e-12)


def test_effective_sample_size() -> None:
    assert float(effective_sample_size(torch.full((8,), 0.3))) == pytest.approx(1.0)
    assert float(effective_sample_size(torch.tensor([1.0, 0.0, 0.0, 0.0]))) == pytest.approx(0.25)
    assert float(effective_sample_size(torch.zeros(4))) == 0.0
