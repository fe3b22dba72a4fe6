"""Advantages against plain float64 loops; credit reaches every step."""

import pytest
import torch

from clawstream.trainer.algorithms.gae import gae, gae_of_steps
from clawstream.trainer.algorithms.rows import lasts

from . import golden
from .numbers import ROW, ROW_COUNT, STEP, by_row, normal

DISCOUNTS = pytest.mark.parametrize(("gamma", "lam"), [(1.0, 1.0), (0.99, 0.95), (0.9, 0.0)])


@DISCOUNTS
def test_by_tokens_it_equals_the_loop(gamma: float, lam: float) -> None:
    rewards, values = normal(1), normal(2)
    found = gae(rewards, values, ROW, ROW_COUNT, gamma=gamma, lam=lam)
    rows = [golden.gae(r, v, gamma, lam) for r, v in zip(by_row(rewards), by_row(values), strict=True)]
    for number, got in enumerate(found):
        expected = [value for row in rows for value in row[number]]
        torch.testing.assert_close(got, torch.tensor(expected, dtype=torch.float64))


@DISCOUNTS
def test_by_steps_it_equals_the_loop_over_steps(gamma: float, lam: float) -> None:
    rewards, values = normal(1), normal(2)
    advantages, returns = gae_of_steps(rewards, values, STEP, ROW, ROW_COUNT, gamma=gamma, lam=lam)
    of_steps = [sum(step) for step in by_row(rewards, STEP)], [step[0] for step in by_row(values, STEP)]
    expected: list[tuple[float, float]] = []
    for first, end in ((0, 2), (2, 4), (4, 5)):  # the steps of each row
        expected += zip(*golden.gae(of_steps[0][first:end], of_steps[1][first:end], gamma, lam), strict=True)
    for token, step in enumerate(STEP.tolist()):
        assert (float(advantages[token]), float(returns[token])) == pytest.approx(expected[step], rel=1e-12)


def test_undiscounted_both_are_return_minus_value() -> None:
    values, goals = normal(1), torch.tensor([1.0, 0.0, 2.0], dtype=torch.float64)
    rewards = goals[ROW] * lasts(ROW)
    advantages, returns = gae(rewards, values, ROW, ROW_COUNT, gamma=1.0, lam=1.0)
    torch.testing.assert_close(advantages, goals[ROW] - values)
    torch.testing.assert_close(returns, goals[ROW])
    of_steps, _ = gae_of_steps(rewards, values, STEP, ROW, ROW_COUNT, gamma=1.0, lam=1.0)
    first_values = torch.tensor([step[0] for step in by_row(values, STEP)], dtype=torch.float64)
    torch.testing.assert_close(of_steps, goals[ROW] - first_values[STEP])
