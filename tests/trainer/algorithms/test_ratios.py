"""Ratios are finite."""

import torch

from clawstream.trainer.algorithms.ratios import ratio


def test_ratios_survive_impossible_tokens() -> None:
    assert torch.isfinite(ratio(torch.tensor([-1e4, 0.0]), torch.tensor([0.0, -1e4]))).all()
