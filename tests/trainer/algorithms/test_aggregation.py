"""Each aggregation against its formula, and over micro-batches."""

from typing import get_args

import pytest
import torch
from torch import Tensor

from clawstream.trainer.algorithms.aggregation import token_weights
from clawstream.trainer.settings import Aggregation

from .numbers import ROW, SAMPLE, STEP, by_row, normal

ALL = torch.ones(len(ROW), dtype=torch.bool)


def aggregated(kind: Aggregation, losses: Tensor, counted: Tensor = ALL) -> float:
    weights = token_weights(kind, counted, row=ROW, step=STEP, sample=SAMPLE, norm_tokens=10)
    return float((weights.double() * losses).sum())


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def test_each_equals_its_formula() -> None:
    losses = normal(1)
    rows, steps, samples = (by_row(losses, unit) for unit in (ROW, STEP, SAMPLE))
    expected: dict[Aggregation, float] = {
        "token-mean": mean(losses.tolist()),
        "seq-mean-token-sum": mean([sum(row) for row in rows]),
        "seq-mean-token-mean": mean([mean(row) for row in rows]),
        "seq-mean-token-sum-norm": sum(losses.tolist()) / (3 * 10),
        "step-mean-token-mean": mean([mean(step) for step in steps]),
        "rollout-mean": mean([mean(sample) for sample in samples]),
    }
    for kind, value in expected.items():
        assert aggregated(kind, losses) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("kind", get_args(Aggregation))
def test_what_does_not_count_is_as_if_it_were_not_there(kind: Aggregation) -> None:
    losses, counted = normal(1), STEP != 2  # row 1 loses its first step
    kept = token_weights(
        kind, ALL[counted], row=ROW[counted], step=STEP[counted], sample=SAMPLE[counted], norm_tokens=10
    )
    assert aggregated(kind, losses, counted) == pytest.approx(float((kept.double() * losses[counted]).sum()), rel=1e-6)


def test_nothing_that_counts_weighs_nothing() -> None:
    for kind in get_args(Aggregation):
        assert aggregated(kind, normal(1), ~ALL) == 0.0
