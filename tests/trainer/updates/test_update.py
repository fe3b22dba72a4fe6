"""Updates with DeepSpeed on the CPU: rewarded tokens become more likely, and nothing depends on how it is cut up."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from clawstream.schemas import Sample, Sequence
from clawstream.trainer.batches.batch import collate
from clawstream.trainer.errors import DivergedError
from clawstream.trainer.models.engine import start_ranks
from clawstream.trainer.models.learners import Learners, load_learners
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.updates import update as module
from clawstream.trainer.updates.update import update
from tests.builders import a_sample, a_sequence
from tests.tiny_model import make_tiny_model

PROMPT = [10, 20, 30, 40]
GOOD, BAD = [50, 51, 52], [60, 61]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    start_ranks()
    return make_tiny_model(tmp_path_factory.mktemp("model"))


def learners(folder: Path, **fields: Any) -> tuple[Learners, TrainerSettings]:
    settings = TrainerSettings(model=folder, **({"learning_rate": 1e-3} | fields))
    return load_learners(settings, folder, folder), settings


def pair(good_reward: float = 1.0, bad_reward: float = -1.0) -> list[Sample]:
    """A winner and a loser of one group, two of each."""
    mean, std = (good_reward + bad_reward) / 2, abs(good_reward - bad_reward) / 2**0.5
    winner, loser = (a_sequence(PROMPT, response, logprob=-5.6) for response in (GOOD, BAD))
    return [
        a_sample(reward, mean, std, 2, sequences=[sequence])
        for reward, sequence in ((good_reward, winner), (bad_reward, loser)) * 2
    ]


def mean_logprob(found: Learners, sequence: Sequence) -> float:
    batch = collate([a_sample(sequences=[sequence])])
    with torch.no_grad():
        logprobs, *_ = found.policy(found.pack(batch, torch.tensor([0])))
    return float(logprobs.mean())


def weights(found: Learners) -> list[Tensor]:
    return [parameter.detach().float().clone() for parameter in found.policy.module.parameters()]


SAME = 1e-6  # a thousandth of the way that one step goes; the order of additions is not the same


def distance(some: list[Tensor], others: list[Tensor]) -> float:
    """Mean absolute difference; Adam makes a rounding error of a vanishing gradient large, so not the largest one."""
    return float(torch.cat([(one - other).flatten() for one, other in zip(some, others, strict=True)]).abs().mean())


@pytest.mark.parametrize(
    "fields",
    [
        {"algorithm": "grpo"},
        {"algorithm": "grpo", "kl_coefficient": 0.01, "entropy_coefficient": 0.001, "epochs": 2},
        {"algorithm": "grpo", "dtype": "bfloat16"},
        {"algorithm": "grpo", "zero_stage": 2},
        {"algorithm": "ppo", "critic_learning_rate": 1e-3, "gae_unit": "step"},
        {"algorithm": "reinforce++", "kl_coefficient": 0.01, "kl_in_reward": True},
        {"algorithm": "gspo", "clip_low": 0.5, "clip_high": 0.5},
        {"algorithm": "cispo", "correction": "icepop", "icepop_low": 0.01, "icepop_high": 100},
    ],
    ids=lambda fields: "-".join(str(value) for value in fields.values()),
)
def test_rewarded_tokens_become_more_likely_and_others_less(folder: Path, fields: dict[str, Any]) -> None:
    found, settings = learners(folder, **fields)
    winner, loser = (a_sequence(PROMPT, response) for response in (GOOD, BAD))
    before = [mean_logprob(found, sequence) for sequence in (winner, loser)]
    for version in range(3):
        metrics = update(found, pair(), version, settings)
    after = [mean_logprob(found, sequence) for sequence in (winner, loser)]
    assert after[0] > before[0] + 0.1
    assert after[1] < before[1] - 0.1
    assert metrics["grad_norm"] > 0
    assert 0 < metrics["ess"] <= 1
    if found.critic is not None:
        assert metrics["value_loss"] > 0
    if settings.kl_coefficient:
        assert metrics["kl_reference"] != 0


def test_without_advantage_nothing_moves(folder: Path) -> None:
    found, settings = learners(folder)
    before = weights(found)
    metrics = update(found, pair(0.5, 0.5), 0, settings)
    assert metrics["grad_norm"] == 0
    assert all(torch.equal(old, new) for old, new in zip(before, weights(found), strict=True))


def test_micro_batches_do_not_change_the_update(folder: Path) -> None:
    results = []
    for max_tokens in (10_000, 7):
        found, settings = learners(folder, max_micro_batch_tokens=max_tokens)
        metrics = update(found, pair(), 0, settings)
        results.append((metrics, weights(found)))
    assert results[1][0] == pytest.approx(results[0][0], rel=1e-3, abs=1e-5)
    assert distance(results[0][1], results[1][1]) < SAME


def test_samples_without_advantage_cost_no_pass_and_count_all_the_same(folder: Path) -> None:
    """Skipping them gives the gradients that computing them gives."""
    flat = a_sample(1.0, 1.0, 0.0, 2, sequences=[a_sequence(PROMPT, GOOD + BAD)])
    results = []
    for entropy in (0.0, 1e-30):  # an entropy term, however small, has every row computed
        found, settings = learners(folder, entropy_coefficient=entropy, minibatches=1)
        metrics = update(found, [*pair(), flat, flat], 0, settings)
        of_loss = {name: metrics[name] for name in ("policy_loss", "grad_norm", "clip_fraction", "kl_update")}
        results.append((of_loss, weights(found)))
    assert results[1][0] == pytest.approx(results[0][0], rel=1e-3, abs=1e-5)
    assert distance(results[0][1], results[1][1]) < SAME


@pytest.mark.parametrize("minibatches", [1, 2])
def test_a_first_step_needs_no_pass_before_it(folder: Path, minibatches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it finds by itself is what a pass before it would have found."""
    results = []
    for needed in (True, False):
        monkeypatch.setattr(module, "foreknowledge_needed", lambda *_, needed=needed: needed)
        found, settings = learners(folder, minibatches=minibatches)
        results.append((update(found, pair(), 0, settings), weights(found)))
    assert results[1][0] == pytest.approx(results[0][0], rel=1e-3, abs=1e-5)
    assert distance(results[0][1], results[1][1]) < SAME


def test_the_same_update_again_gives_the_same_weights(folder: Path) -> None:
    runs = []
    for _ in range(2):
        found, settings = learners(folder)
        update(found, pair(), 3, settings)
        runs.append(weights(found))
    assert all(torch.equal(one, other) for one, other in zip(*runs, strict=True))


def test_saved_and_loaded_learners_go_on_as_if_never_stopped(folder: Path, tmp_path: Path) -> None:
    for number, fields in enumerate(({"algorithm": "ppo"}, {"zero_stage": 1}, {"dtype": "bfloat16"})):
        found, settings = learners(folder, **fields)
        update(found, pair(), 0, settings)
        found.save(tmp_path / str(number))
        update(found, pair(), 1, settings)
        again, _ = learners(folder, **fields)
        again.load(tmp_path / str(number))
        update(again, pair(), 1, settings)
        assert all(torch.equal(one, other) for one, other in zip(weights(found), weights(again), strict=True))


@pytest.mark.parametrize("zero_stage", [0, 1])
def test_a_gradient_that_is_not_finite_stops_the_trainer(folder: Path, zero_stage: int) -> None:
    found, settings = learners(folder, zero_stage=zero_stage)
    before = weights(found)
    with pytest.raises(DivergedError, match="gradient norm is"):
        update(found, [a_sample(3e38, 0.0, 1e-30, 2, sequences=[a_sequence(PROMPT, GOOD)])], 0, settings)
    assert all(torch.equal(old, new) for old, new in zip(before, weights(found), strict=True))


@pytest.mark.parametrize(("limit", "said"), [("max_update_kl", "kl_update is"), ("max_grad_norm", "grad_norm_max is")])
def test_an_update_that_explodes_is_refused_with_its_numbers(folder: Path, limit: str, said: str) -> None:
    found, settings = learners(folder, **{limit: 1e-6})
    with pytest.raises(DivergedError, match=f"{said}.*more than 1e-06") as error:
        update(found, pair(), 0, settings)
    assert error.value.metrics["grad_norm"] > 0


def test_weights_that_are_not_finite_are_refused(folder: Path) -> None:
    found, settings = learners(folder, max_update_kl=1e9, grad_clip=1e30)
    with torch.no_grad():
        next(found.policy.module.parameters())[200, 0] = float("inf")  # a token that nothing here holds
    with pytest.raises(DivergedError, match=r"not finite|is nan"):
        update(found, pair(0.5, 0.5), 0, settings)


def test_warm_up_begins_with_small_steps(folder: Path) -> None:
    moved = []
    for warmup_updates in (0, 10):
        found, settings = learners(folder, warmup_updates=warmup_updates, minibatches=1)
        before = weights(found)
        update(found, pair(), 0, settings)
        moved.append(max(float((new - old).abs().max()) for old, new in zip(before, weights(found), strict=True)))
    assert moved[1] == pytest.approx(moved[0] / 10, rel=0.05)
