"""Corrections: exactly 1 on fresh data, by their formulas on stale data."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from clawstream.trainer.algorithms.clip import ppo_clip
from clawstream.trainer.algorithms.correction import correction_weights
from clawstream.trainer.settings import TrainerSettings

from . import golden
from .numbers import ROW, ROW_COUNT, by_row, logprobs, normal

KINDS: list[dict[str, Any]] = [
    {"correction": "tis"},
    {"correction": "sequence-tis"},
    {"correction": "icepop"},
    {"correction": "tis", "sequence_mask": "geometric"},
    {"correction": "none", "uncorrected": True, "sequence_mask": "product"},
]


def weights(prox: Tensor, behaviour: Tensor, **fields: Any) -> Tensor:
    return correction_weights(prox, behaviour, ROW, ROW_COUNT, TrainerSettings(model=Path("m"), **fields))


@pytest.mark.parametrize("fields", KINDS)
def test_where_prox_is_behaviour_it_is_plain_ppo_bit_for_bit(fields: dict[str, Any]) -> None:
    new, old = logprobs(1).float(), logprobs(2).float()
    found = weights(old, old.clone(), **fields)
    assert torch.equal(found, torch.ones_like(found))
    plain = ppo_clip(new, old, normal(3).float(), clip_low=0.2, clip_high=0.28, dual_clip=3.0).loss
    assert torch.equal(found * plain, plain)


def test_truncated_by_tokens() -> None:
    prox, behaviour = logprobs(1), logprobs(2)
    expected = [min(golden.ratio(p, b), 2.0) for p, b in zip(prox.tolist(), behaviour.tolist(), strict=True)]
    torch.testing.assert_close(weights(prox, behaviour), torch.tensor(expected, dtype=torch.float64))
    assert 2.0 in expected


def test_truncated_by_sequences() -> None:
    prox, behaviour = logprobs(1, 0.3), logprobs(2, 0.3)
    products = [min(math.exp(sum(row)), 5.0) for row in by_row(prox - behaviour)]
    found = weights(prox, behaviour, correction="sequence-tis", tis_threshold=5.0)
    torch.testing.assert_close(found, torch.tensor(products, dtype=torch.float64)[ROW])


def test_icepop_drops_what_lies_outside() -> None:
    prox, behaviour = logprobs(1), logprobs(2)
    ratios = [golden.ratio(p, b) for p, b in zip(prox.tolist(), behaviour.tolist(), strict=True)]
    expected = [r if 0.5 <= r <= 5.0 else 0.0 for r in ratios]
    found = weights(prox, behaviour, correction="icepop")
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))
    assert 0.0 in expected


@pytest.mark.parametrize("kind", ["geometric", "product"])
def test_masks_drop_whole_sequences(kind: str) -> None:
    drift = torch.tensor([0.0, 0.3, -0.004], dtype=torch.float64)  # log-ratio of each token of a row
    behaviour = logprobs(1)
    prox = behaviour + drift[ROW]
    fields: dict[str, Any] = {"correction": "none", "uncorrected": True, "sequence_mask": kind}
    kept = [1.0, 0.0, 1.0] if kind == "geometric" else [1.0, 0.0, 0.0]  # product: 3 times -0.004 is below 0.99
    assert weights(prox, behaviour, **fields).tolist() == torch.tensor(kept)[ROW].tolist()


def test_weights_carry_no_gradient() -> None:
    for fields in KINDS:
        assert not weights(logprobs(1).requires_grad_(), logprobs(2), **fields).requires_grad
