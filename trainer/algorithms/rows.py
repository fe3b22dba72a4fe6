"""Sampled tokens lie flat, ``[M]``, in the order of their rows; ``row`` names each one's row (a sequence, or a step).

Invariant: what lies between the sampled tokens of a row (observations, tool results) is not there, so nothing here can
give it credit or take credit from it::

    row        0 0 0 1 1            values      a b c d e
    to_rows    a b c                row_sum     a+b+c  d+e
               d e .
"""

import torch
from torch import Tensor


def row_sum(values: Tensor, row: Tensor, count: int) -> Tensor:
    """Sum of ``values`` ``[M]`` over each of ``count`` rows, ``[count]``."""
    return torch.zeros(count, dtype=values.dtype, device=values.device).index_add(0, row, values)


def row_lengths(row: Tensor, count: int) -> Tensor:
    """Tokens of each row, ``[count]`` int64."""
    return torch.bincount(row, minlength=count)


def row_mean(values: Tensor, row: Tensor, count: int) -> Tensor:
    """Mean of ``values`` over each row, ``[count]``; 0 for a row without tokens."""
    return row_sum(values, row, count) / row_lengths(row, count).clamp(min=1)


def firsts(row: Tensor) -> Tensor:
    """Whether each token is the first of its row, ``[M]`` bool."""
    return torch.cat([torch.ones_like(row[:1]), row.diff()]).bool()


def lasts(row: Tensor) -> Tensor:
    """Whether each token is the last of its row, ``[M]`` bool."""
    return torch.cat([row.diff(), torch.ones_like(row[:1])]).bool()


def to_rows(values: Tensor, row: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """``values`` as ``[count, longest]``, padded with 0 on the right, and which places are filled."""
    lengths = row_lengths(row, count)
    longest = int(lengths.max())
    filled = torch.arange(longest, device=row.device) < lengths[:, None]
    padded = torch.zeros(filled.shape, dtype=values.dtype, device=values.device)
    padded[filled] = values
    return padded, filled
