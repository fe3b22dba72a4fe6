"""Advantages of a whole window, by every algorithm that needs no model."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from clawstream.schemas import Sample
from clawstream.trainer.batches.batch import Targets, collate
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.updates.look import Before
from clawstream.trainer.updates.targets import make_targets
from tests.builders import a_reward, a_sample, a_sequence
from tests.trainer.algorithms import golden
from tests.trainer.trees import a_path

PATH = a_path([1, 2, 3, 4, 5, 6, 7], ("s1", 1, 3), ("s2", 5, 7))
REWARDS = [1.0, 0.0, 0.0]
MEAN, STD = 1 / 3, (1 / 3) ** 0.5


def window() -> list[Sample]:
    """A group of three with two steps each; the first step of the first was good."""
    said = [[a_reward(1.0, step_id="s1", kind="process")], [], []]
    return [
        a_sample(reward, MEAN, STD, 3, step_ids=["s1", "s2"], sequences=[PATH], rewards=each)
        for reward, each in zip(REWARDS, said, strict=True)
    ]


def targets(samples: list[Sample], algorithm: str, version: int = 0, **fields: Any) -> Targets:
    settings = TrainerSettings(model=Path("m"), algorithm=algorithm, **fields)  # type: ignore[arg-type]
    batch = collate(samples)
    zero = torch.zeros(len(batch.tokens.ids))
    before = Before(
        prox=zero - 2,
        entropies=zero,
        reference=zero - 3,
        values=zero + 0.25,
        teacher=zero,
        hinted=zero.bool(),
        teacher_top=zero[:, None][:, :0],
        teacher_ids=zero.long()[:, None][:, :0],
    )
    return make_targets(samples, batch, before, version, settings)


def of_samples(values: list[float]) -> Tensor:
    return torch.tensor(values).repeat_interleave(4)


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("grpo", [(r - MEAN) / (STD + 1e-6) for r in REWARDS]),
        ("gspo", [(r - MEAN) / (STD + 1e-6) for r in REWARDS]),
        ("cispo", [(r - MEAN) / (STD + 1e-6) for r in REWARDS]),
        ("dapo", [(r - MEAN) / (STD + 1e-6) for r in REWARDS]),
        ("dr-grpo", [r - MEAN for r in REWARDS]),
        ("rloo", [1.0, -0.5, -0.5]),
    ],
)
def test_group_algorithms_spread_over_all_tokens_of_all_steps(algorithm: str, expected: list[float]) -> None:
    torch.testing.assert_close(targets(window(), algorithm).advantages, of_samples(expected))


def test_reinforce_with_baseline_is_centred_then_whitened_over_the_batch() -> None:
    expected = golden.whiten(of_samples([r - MEAN for r in REWARDS]).tolist())
    torch.testing.assert_close(targets(window(), "reinforce++-baseline").advantages, torch.tensor(expected))


def test_reinforce_returns_hold_the_kl_and_the_steps_own_rewards() -> None:
    found = targets(
        window(), "reinforce++", kl_coefficient=0.1, kl_in_reward=True, step_reward_weight=0.5, gamma=0.9
    ).advantages
    kl = -0.1 * 1.0  # k1 of every token is -2 + 3
    rows = [[kl, kl + own, kl, kl + outcome] for outcome, own in zip(REWARDS, [0.5, 0.0, 0.0], strict=True)]
    expected = golden.whiten([value for row in rows for value in golden.returns(row, 0.9)])
    torch.testing.assert_close(found, torch.tensor(expected))


def test_ppo_by_tokens_and_by_steps() -> None:
    rows = [golden.gae([0, 0, 0, reward], [0.25] * 4, 0.9, 0.8) for reward in REWARDS]
    by_tokens = targets(window(), "ppo", gamma=0.9, gae_lambda=0.8)
    expected = golden.whiten([value for row in rows for value in row[0]])
    torch.testing.assert_close(by_tokens.advantages, torch.tensor(expected))
    torch.testing.assert_close(by_tokens.returns, torch.tensor([value for row in rows for value in row[1]]))
    steps = [golden.gae([0, reward], [0.25] * 2, 0.9, 0.8) for reward in REWARDS]
    by_steps = targets(window(), "ppo", gamma=0.9, gae_lambda=0.8, gae_unit="step")
    expected = golden.whiten([value for row in steps for value in row[0] for _ in range(2)])
    torch.testing.assert_close(by_steps.advantages, torch.tensor(expected))


def test_binary_gives_each_step_its_own_reward_and_leaves_out_the_others() -> None:
    found = targets(window(), "binary")
    assert found.advantages.tolist() == [1.0, 1.0, *[0.0] * 10]
    assert found.counted.tolist() == [True, True, *[False] * 10]


def test_dapo_punishes_answers_near_the_limit() -> None:
    found = targets(window(), "dapo", overlong_tokens=5, overlong_buffer=4).advantages
    torch.testing.assert_close(found[:4], torch.full((4,), (1.0 - 0.75 - MEAN) / (STD + 1e-6)))


def test_tokens_of_policies_too_old_do_not_count() -> None:
    samples = [a_sample(sequences=[a_sequence([1], [2, 3], version=version)]) for version in (3, 7)]
    found = targets(samples, "grpo", version=8, max_policy_lag=4)
    assert found.counted.tolist() == [False, False, True, True]
