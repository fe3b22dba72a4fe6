"""The numbers of an update, by hand."""

import math
from pathlib import Path

import pytest
import torch

from clawstream.trainer.batches.batch import Targets, collate
from clawstream.trainer.errors import DivergedError
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.updates.look import Before
from clawstream.trainer.updates.statistics import off_policy_metrics, require_sound, token_metrics
from tests.builders import a_sample
from tests.trainer.trees import BRANCHING

SETTINGS = TrainerSettings(model=Path("m"))


def test_tokens_of_branches_are_counted_once_and_those_of_model_calls_each_time() -> None:
    metrics = token_metrics(collate([a_sample(sequences=BRANCHING)]))
    assert metrics == {"tokens_unique": 14.0, "tokens_in_steps": float(6 + 9 + 10 + 4)}


def test_off_policy_numbers_are_of_the_tokens_that_a_pass_was_made_for() -> None:
    batch = collate([a_sample(sequences=BRANCHING)])
    count = len(batch.tokens.ids)
    zero = torch.zeros(count)
    prox = torch.full((count,), math.nan)
    prox[:2] = torch.tensor([-1.0, -1.0 + math.log(3.0)])  # behaviour is -1
    none = torch.zeros(count, 0)
    hints = {"hinted": zero.bool(), "teacher_top": none, "teacher_ids": none.long()}
    before = Before(
        prox=prox,
        entropies=torch.where(prox.isnan(), math.nan, 0.5),
        reference=zero,
        values=zero,
        teacher=zero,
        **hints,
    )
    counted = torch.arange(count) < 6
    targets = Targets(prox=prox, reference=zero, advantages=zero, values=zero, returns=zero, counted=counted, **hints)
    metrics = off_policy_metrics(before, batch, targets, SETTINGS)
    assert metrics["mean_weight"] == pytest.approx((1 + 2) / 2)  # the second is held at the threshold
    assert metrics["ess"] == pytest.approx(9 / (2 * 5))
    assert metrics["max_abs_dlogp"] == pytest.approx(math.log(3.0))
    assert metrics["kl_prox_behaviour"] == pytest.approx((3 - math.log(3.0) - 1) / 2)
    assert (metrics["entropy"], metrics["counted_fraction"]) == (0.5, 6 / count)


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"policy_loss": math.nan}, "policy_loss is nan"),
        ({"grad_norm_max": 2e4}, "grad_norm_max is 20000, more than 10000"),
        ({"kl_update": 6.0}, "kl_update is 6, more than 5"),
    ],
)
def test_what_must_not_be_published_is_named(metrics: dict[str, float], said: str) -> None:
    with pytest.raises(DivergedError, match=said) as error:
        require_sound({"grad_norm_max": 1.0, "kl_update": 0.0} | metrics, SETTINGS)
    assert error.value.metrics
