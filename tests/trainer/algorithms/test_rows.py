"""Flat tokens and rows of them."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from clawstream.trainer.algorithms.rows import firsts, lasts, row_lengths, row_mean, row_sum, to_rows

from .numbers import ROW, ROW_COUNT, by_row, normal


def test_sums_means_and_lengths() -> None:
    values = normal(1)
    expected = [sum(row) for row in by_row(values)]
    torch.testing.assert_close(row_sum(values, ROW, ROW_COUNT), torch.tensor(expected, dtype=torch.float64))
    assert row_lengths(ROW, ROW_COUNT).tolist() == [6, 5, 3]
    torch.testing.assert_close(
        row_mean(values, ROW, ROW_COUNT), row_sum(values, ROW, ROW_COUNT) / torch.tensor([6, 5, 3])
    )


def test_a_row_without_tokens_has_mean_zero() -> None:
    assert row_mean(torch.tensor([3.0]), torch.tensor([1]), 3).tolist() == [0.0, 3.0, 0.0]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_rows_are_padded_on_the_right_and_found_again(lengths: list[int]) -> None:
    row = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    values = torch.arange(1, len(row) + 1)
    padded, filled = to_rows(values, row, len(lengths))
    assert torch.equal(padded[filled], values)
    assert not padded[~filled].any()
    assert firsts(row).nonzero()[:, 0].tolist() == [sum(lengths[:number]) for number in range(len(lengths))]
    assert lasts(row).nonzero()[:, 0].tolist() == [sum(lengths[: number + 1]) - 1 for number in range(len(lengths))]
