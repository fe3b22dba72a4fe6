"""Samples become tensors token by token."""

import pytest
import torch

from clawstream.schemas import PolicySpan, Sample
from clawstream.trainer.algorithms.groups import normalised
from clawstream.trainer.batches.batch import collate
from tests.builders import a_sample, a_sequence
from tests.trainer.trees import BRANCHING, a_path

THREE_STEPS = a_path(list(range(10, 22)), ("a", 2, 4), ("b", 6, 8), ("c", 9, 12))


def test_only_sampled_tokens_are_there_each_with_what_predicts_it() -> None:
    tokens = collate([a_sample(sequences=[THREE_STEPS])]).tokens
    assert tokens.ids.tolist() == [12, 13, 16, 17, 19, 20, 21]
    assert tokens.source.tolist() == [1, 2, 5, 6, 8, 9, 10]
    assert tokens.step.tolist() == [0, 0, 1, 1, 2, 2, 2]
    assert tokens.behaviour.tolist() == [-1.0] * 7


def test_steps_rows_and_samples_are_counted_over_the_window() -> None:
    batch = collate([a_sample(sequences=[THREE_STEPS]), a_sample(sequences=BRANCHING)])
    assert batch.tokens.row.unique_consecutive().tolist() == [0, 1, 2, 3]
    assert batch.tokens.sample.tolist() == [0] * 7 + [1] * 8
    assert batch.step_ids == ("a", "b", "c", "s1", "s2", "s3", "s4")
    assert batch.sample_of_step == (0, 0, 0, 1, 1, 1, 1)
    assert batch.row_count == 4
    assert batch.tokens.temperatures[-2:].tolist() == [0.5, 0.5]


def test_shared_tokens_are_in_the_tree_once_and_trained_once() -> None:
    batch = collate([a_sample(sequences=BRANCHING)])
    assert batch.sizes.tolist() == [9 + 3 + 2]
    assert batch.tokens.ids.tolist() == [13, 14, 15, 22, 32, 33, 40, 41]
    assert batch.trees[0].tokens[batch.tokens.source].tolist() == [12, 13, 14, 21, 31, 32, 11, 40]


def test_each_token_has_the_version_that_sampled_it() -> None:
    sequence = a_sequence([1, 2], [3, 4, 5])
    spans = [PolicySpan(version=7, start=2, end=4), PolicySpan(version=8, start=4, end=5)]
    changed = type(sequence)(
        tokens=sequence.tokens, logprobs=sequence.logprobs, responses=sequence.responses, policy_spans=spans
    )
    assert collate([a_sample(sequences=[changed])]).tokens.versions.tolist() == [7, 7, 8]


def test_tokens_of_samples_in_the_order_asked_for() -> None:
    batch = collate([a_sample(sequences=[THREE_STEPS]), a_sample(), a_sample()])
    assert batch.of_samples(torch.tensor([2, 0])).tolist() == [9, 10, 0, 1, 2, 3, 4, 5, 6]


def test_three_step_winner_and_loser_on_every_step() -> None:
    """The case where Claw-R1's trainer punishes the winner's first steps (W-21)."""
    samples: list[Sample] = [a_sample(reward, 0.5, 0.5**0.5, 2, sequences=[THREE_STEPS]) for reward in (1.0, 0.0)]
    tokens = collate(samples).tokens
    advantages = torch.tensor([normalised(sample.reward, sample.group) for sample in samples])[tokens.sample]
    assert advantages.tolist() == pytest.approx([0.707] * 7 + [-0.707] * 7, abs=5e-4)
