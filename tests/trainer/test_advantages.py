"""Advantages against plain float64 loops; credit reaches every step."""

import math
import statistics

import pytest
import torch

from clawstream.trainer.advantages import at_last_sampled, gae, grpo_advantage, spread, whiten

from . import golden

MASK = torch.tensor(
    [
        [False, False, True, True, False, True, True, False],
        [False, True, False, False, True, False, False, True],
        [False, False, False, False, False, False, True, False],
    ]
)


def random_values(seed: int) -> torch.Tensor:
    return torch.randn(MASK.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_winner_and_loser_of_a_pair() -> None:
    mean, std = statistics.mean([1.0, 0.0]), statistics.stdev([1.0, 0.0])
    assert grpo_advantage(1.0, mean, std, 2) == pytest.approx(math.sqrt(0.5), abs=1e-5)
    assert grpo_advantage(0.0, mean, std, 2) == pytest.approx(-math.sqrt(0.5), abs=1e-5)


def test_equal_rewards_give_no_advantage() -> None:
    assert grpo_advantage(0.7, 0.7, 0.0, 8) == 0.0


def test_a_group_of_one_is_trained_by_its_reward() -> None:
    assert grpo_advantage(-1.0, -1.0, 0.0, 1) == pytest.approx(-1.0, abs=1e-5)


def test_every_sampled_token_of_every_step_gets_the_rows_advantage() -> None:
    found = spread(torch.tensor([0.7, -0.7, 0.0]), MASK)
    assert found[0].tolist() == pytest.approx([0, 0, 0.7, 0.7, 0, 0.7, 0.7, 0])
    assert found[1].tolist() == pytest.approx([0, -0.7, 0, 0, -0.7, 0, 0, -0.7])


def test_reward_lies_on_the_last_sampled_token() -> None:
    found = at_last_sampled(torch.tensor([1.0, 2.0, 3.0]), MASK)
    assert found.nonzero().tolist() == [[0, 6], [1, 7], [2, 6]]
    assert found.sum(dim=1).tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 1.0), (0.99, 0.95), (0.9, 0.0)])
def test_gae_equals_the_loop(gamma: float, lam: float) -> None:
    rewards, values = random_values(1) * MASK, random_values(2)
    found = gae(rewards, values, MASK, gamma=gamma, lam=lam)
    expected = golden.gae(rewards.tolist(), values.tolist(), MASK.tolist(), gamma, lam)
    for got, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(got, torch.tensor(wanted, dtype=torch.float64))


def test_undiscounted_gae_is_return_minus_value() -> None:
    values = random_values(1)
    rewards = at_last_sampled(torch.tensor([1.0, 0.0, 2.0], dtype=torch.float64), MASK)
    advantages, returns = gae(rewards, values, MASK, gamma=1.0, lam=1.0)
    goal = torch.tensor([1.0, 0.0, 2.0], dtype=torch.float64)[:, None]
    torch.testing.assert_close(advantages, (goal - values) * MASK)
    torch.testing.assert_close(returns, goal * MASK)


def test_tokens_between_steps_change_nothing() -> None:
    """The advantages of sampled tokens are those of the sampled tokens alone, observations cut out."""
    rewards, values = random_values(1)[:1], random_values(2)[:1]
    sampled = MASK[0]
    whole, _ = gae(rewards, values, MASK[:1], gamma=0.9, lam=0.8)
    dense, _ = gae(rewards[:, sampled], values[:, sampled], MASK[:1, sampled], gamma=0.9, lam=0.8)
    torch.testing.assert_close(whole[:, sampled], dense)
    assert not whole[:, ~sampled].any()


def test_whitening_equals_the_loop() -> None:
    advantages = random_values(1) * MASK
    expected = golden.whiten(advantages.tolist(), MASK.tolist())
    torch.testing.assert_close(whiten(advantages, MASK), torch.tensor(expected, dtype=torch.float64))


def test_one_token_is_not_whitened() -> None:
    alone = torch.tensor([[0.0, 0.4]])
    assert torch.equal(whiten(alone, torch.tensor([[False, True]])), alone)
