"""Distillation's formulas, and its null test."""

import pytest
import torch

from clawstream.trainer.algorithms.hints import token_advantages, top_k_divergence

from . import golden
from .numbers import logprobs, normal


def test_an_advantage_is_what_the_teacher_says_more() -> None:
    teacher, student = logprobs(1), logprobs(2)
    assert torch.equal(token_advantages(teacher, student, None), teacher - student)
    clipped = token_advantages(teacher, student, 0.5)
    assert float(clipped.abs().max()) == 0.5
    assert not token_advantages(student, student, None).any()


def test_top_k_equals_the_loop_and_is_zero_for_equals() -> None:
    vocabulary = [torch.log_softmax(normal(seed).reshape(2, 7), dim=1) for seed in (1, 2)]
    student, teacher = (of[:, :3] for of in vocabulary)
    expected = [golden.top_k_divergence(*rows) for rows in zip(student.tolist(), teacher.tolist(), strict=True)]
    assert top_k_divergence(student, teacher).tolist() == pytest.approx(expected, rel=1e-9)
    assert top_k_divergence(student, student).tolist() == [0.0, 0.0]


def test_top_k_of_everything_is_the_whole_divergence() -> None:
    student, teacher = (torch.log_softmax(normal(seed), dim=0)[None] for seed in (1, 2))
    whole = (student.exp() * (student - teacher)).sum()
    assert float(top_k_divergence(student[:, :-1], teacher[:, :-1])) == pytest.approx(float(whole), rel=1e-9)
