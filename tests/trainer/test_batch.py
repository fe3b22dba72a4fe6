"""Samples become tensors token by token."""

import pytest
import torch

from clawstream.schemas import PolicySpan, ResponseSpan, Sequence, pack_logprobs, pack_tokens
from clawstream.trainer.advantages import grpo_advantage, spread
from clawstream.trainer.batch import collate
from tests.builders import a_sample, a_sequence

CPU = torch.device("cpu")


def three_steps(version: int = 0) -> Sequence:
    """Prompt, answer, tool result, answer, tool result, answer."""
    spans = [(2, 4, 1.0), (6, 8, 0.5), (9, 12, 1.0)]
    return Sequence(
        tokens=pack_tokens(range(10, 22)),
        logprobs=pack_logprobs([-float(t) if any(a <= t < b for a, b, _ in spans) else 0.0 for t in range(12)]),
        responses=[ResponseSpan(step_id=f"s{a}", start=a, end=b, temperature=heat) for a, b, heat in spans],
        policy_spans=[PolicySpan(version=version, start=a, end=b) for a, b, _ in spans],
    )


def test_only_sampled_tokens_are_under_the_mask() -> None:
    batch = collate([a_sample(sequences=[three_steps()])])
    assert batch.tokens[0].tolist() == list(range(10, 22))
    assert batch.mask[0].nonzero()[:, 0].tolist() == [2, 3, 6, 7, 9, 10, 11]
    assert batch.behaviour[0].tolist() == [0, 0, -2, -3, 0, 0, -6, -7, 0, -9, -10, -11]
    assert batch.temperatures[0].tolist() == [1, 1, 1, 1, 1, 1, 0.5, 0.5, 1, 1, 1, 1]


def test_rows_are_padded_and_know_their_sample() -> None:
    branches = a_sample(sequences=[a_sequence([1], [2]), a_sequence([1, 2, 3], [4, 5])])
    batch = collate([a_sample(sequences=[three_steps()]), branches])
    assert batch.tokens.shape == (3, 12)
    assert batch.lengths.tolist() == [12, 2, 5]
    assert batch.sample_of_row.tolist() == [0, 1, 1]
    assert batch.tokens[2].tolist() == [1, 2, 3, 4, 5] + [0] * 7
    assert int(batch.mask.sum()) == 7 + 1 + 2


def test_logprobs_of_tokens_sampled_elsewhere_count_for_nothing() -> None:
    """A branch repeats tokens that another sequence trains: they are not in its responses."""
    branch = Sequence(
        tokens=pack_tokens([1, 2, 3, 4]),
        logprobs=pack_logprobs([0.0, -9.0, 0.0, -1.0]),
        responses=[ResponseSpan(step_id="s2", start=3, end=4, temperature=1.0)],
        policy_spans=[PolicySpan(version=0, start=3, end=4)],
    )
    batch = collate([a_sample(sequences=[branch])])
    assert batch.mask[0].tolist() == [False, False, False, True]
    assert batch.behaviour[0].tolist() == [0, 0, 0, -1]


def test_taken_rows_are_as_wide_as_the_longest_of_them() -> None:
    batch = collate([a_sample(sequences=[three_steps(), a_sequence([1], [2]), a_sequence([1, 2, 3], [4, 5])])])
    part = batch.of_rows(torch.tensor([2, 1]), CPU)
    assert part.tokens.tolist() == [[1, 2, 3, 4, 5], [1, 2, 0, 0, 0]]
    assert part.lengths.tolist() == [5, 2]


def test_three_step_winner_and_loser_on_every_step() -> None:
    """The case where Claw-R1's trainer punishes the winner's first steps (W-21)."""
    samples = [a_sample(reward, 0.5, 0.5**0.5, 2, sequences=[three_steps()]) for reward in (1.0, 0.0)]
    batch = collate(samples)
    of_samples = torch.tensor(
        [grpo_advantage(s.reward, s.group.reward_mean, s.group.reward_std, s.group.size) for s in samples]
    )
    advantages = spread(of_samples[batch.sample_of_row], batch.mask)
    for row, expected in ((0, 0.707), (1, -0.707)):
        steps = [advantages[row, span.start : span.end].tolist() for span in samples[row].sequences[0].responses]
        assert [len(step) for step in steps] == [2, 2, 3]
        assert [value for step in steps for value in step] == pytest.approx([expected] * 7, abs=5e-4)
        assert float(advantages[row].abs().sum()) == pytest.approx(7 * 0.707, abs=5e-3)  # and on nothing else
