"""Losses against plain float64 loops, and the identities that they must keep."""

from typing import Any

import pytest
import torch
from torch import Tensor

from clawstream.trainer.losses import (
    decoupled_policy_loss,
    effective_sample_size,
    importance_weights,
    k1,
    k3,
    ppo_clip,
    ratio,
    token_mean,
    value_loss,
)

from . import golden

CLIPS: dict[str, Any] = {"clip_low": 0.2, "clip_high": 0.28, "dual_clip": 3.0}


def random_logprobs(seed: int, spread: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return -2 - spread * torch.randn(6, 40, generator=generator, dtype=torch.float64)


def random_advantages(seed: int) -> Tensor:
    return torch.randn(6, 40, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("spread", [0.01, 0.3, 2.0, 30.0])
def test_decoupled_loss_equals_the_loop(spread: float) -> None:
    logprobs, prox, behaviour = (random_logprobs(seed, spread) for seed in (1, 2, 3))
    advantages = random_advantages(4)
    weights = importance_weights(prox, behaviour, 2.0)
    found = decoupled_policy_loss(logprobs, prox, advantages, weights, **CLIPS).loss
    for place in torch.ones_like(found).nonzero().tolist():
        at = tuple(place)
        expected = golden.token_loss(
            float(logprobs[at]), float(prox[at]), float(behaviour[at]), float(advantages[at]), 0.2, 0.28, 3.0, 2.0
        )
        assert float(found[at]) == pytest.approx(expected, rel=1e-12)


def test_where_prox_is_behaviour_it_is_plain_ppo_bit_for_bit() -> None:
    logprobs, old, advantages = random_logprobs(1).float(), random_logprobs(2).float(), random_advantages(3).float()
    weights = importance_weights(old, old.clone(), 2.0)
    assert torch.equal(weights, torch.ones_like(weights))
    decoupled = decoupled_policy_loss(logprobs, old, advantages, weights, **CLIPS)
    plain = ppo_clip(logprobs, old, advantages, **CLIPS)
    assert torch.equal(decoupled.loss, plain.loss)
    assert torch.equal(decoupled.clipped, plain.clipped)


def test_before_the_first_step_the_gradient_is_the_policy_gradient() -> None:
    logprobs = random_logprobs(1).requires_grad_()
    behaviour, advantages = random_logprobs(2, 0.3), random_advantages(3)
    weights = importance_weights(logprobs.detach(), behaviour, 2.0)
    decoupled_policy_loss(logprobs, logprobs.detach(), advantages, weights, **CLIPS).loss.sum().backward()
    torch.testing.assert_close(logprobs.grad, -weights * advantages)


def test_no_advantage_no_gradient() -> None:
    logprobs = random_logprobs(1).requires_grad_()
    old = random_logprobs(2)
    decoupled_policy_loss(logprobs, old, torch.zeros_like(old), torch.ones_like(old), **CLIPS).loss.sum().backward()
    assert logprobs.grad is not None
    assert torch.equal(logprobs.grad, torch.zeros_like(logprobs))


def test_clipped_says_exactly_where_no_gradient_flows() -> None:
    logprobs = random_logprobs(1).requires_grad_()
    policy = ppo_clip(logprobs, random_logprobs(2), random_advantages(3), **CLIPS)
    policy.loss.sum().backward()
    assert logprobs.grad is not None
    assert torch.equal(policy.clipped, logprobs.grad == 0)
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
    zero = torch.zeros(1, 1, dtype=torch.float64)
    loss = ppo_clip(zero + log_ratio, zero, zero + advantage, **CLIPS).loss
    assert float(loss) == pytest.approx(expected, rel=1e-12)


def test_weights_carry_no_gradient_and_are_truncated() -> None:
    prox = random_logprobs(1).requires_grad_()
    weights = importance_weights(prox, random_logprobs(2), 2.0)
    assert not weights.requires_grad
    assert float(weights.max()) == 2.0


def test_ratios_survive_impossible_tokens() -> None:
    assert torch.isfinite(ratio(torch.tensor([-1e4, 0.0]), torch.tensor([0.0, -1e4]))).all()


def test_value_loss_equals_the_loop() -> None:
    values, old, returns = random_logprobs(1), random_logprobs(2), random_logprobs(3)
    found = value_loss(values, old, returns, 0.5)
    expected = [
        golden.value_loss(*numbers, 0.5)
        for numbers in zip(values.flatten().tolist(), old.flatten().tolist(), returns.flatten().tolist(), strict=True)
    ]
    torch.testing.assert_close(found.flatten(), torch.tensor(expected, dtype=torch.float64))


def test_kl_estimators_equal_the_loop() -> None:
    logprobs, reference = random_logprobs(1, 5.0), random_logprobs(2, 5.0)
    pairs = list(zip(logprobs.flatten().tolist(), reference.flatten().tolist(), strict=True))
    expected = torch.tensor([golden.k3(*pair) for pair in pairs], dtype=torch.float64)
    torch.testing.assert_close(k3(logprobs, reference).flatten(), expected)
    torch.testing.assert_close(k1(logprobs, reference), logprobs - reference)
    assert float(k3(logprobs, reference).min()) >= 0


def test_token_mean_counts_each_sampled_token_alike_over_micro_batches() -> None:
    losses, mask = random_advantages(1), random_advantages(2) > 0.5
    count = int(mask.sum())
    whole = token_mean(losses, mask, count)
    parts = sum(token_mean(losses[rows], mask[rows], count) for rows in (slice(0, 1), slice(1, 4), slice(4, 6)))
    assert float(whole) == pytest.approx(float(losses[mask].mean()), rel=1e-12)
    assert float(parts) == pytest.approx(float(whole), rel=1e-12)


def test_what_is_not_sampled_may_hold_anything() -> None:
    losses, mask = torch.tensor([[1.0, float("nan"), float("inf")]]), torch.tensor([[True, False, False]])
    assert float(token_mean(losses, mask, 1)) == 1.0


def test_effective_sample_size() -> None:
    assert float(effective_sample_size(torch.full((8,), 0.3))) == pytest.approx(1.0)
    assert float(effective_sample_size(torch.tensor([1.0, 0.0, 0.0, 0.0]))) == pytest.approx(0.25)
