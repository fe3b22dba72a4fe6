"""Which rows are computed when, and by which rank. Pure.

Invariant: each epoch takes every row once; every rank makes the same number of passes, so that none waits for ever; the
order depends on seed and version alone.
"""

from collections.abc import Iterator

import torch
from torch import Tensor


def minibatches(row_count: int, *, epochs: int, count: int, seed: int, version: int) -> Iterator[Tensor]:
    """Row numbers of each optimiser step: ``count`` random parts of all rows in each epoch, fewer if rows are fewer."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + version)
    for _ in range(epochs):
        yield from torch.randperm(row_count, generator=generator).tensor_split(min(count, row_count))


def micro_batches(lengths: Tensor, rows: Tensor, max_tokens: int) -> Iterator[Tensor]:
    """Split ``rows`` by length, so that rows times the longest stays within ``max_tokens``; a longer row goes alone."""
    ordered = rows[torch.argsort(lengths[rows], stable=True, descending=True)]
    start = 0
    while start < len(ordered):
        fitting = max(1, max_tokens // int(lengths[ordered[start]]))
        yield ordered[start : start + fitting]
        start += fitting


def rank_share(parts: list[Tensor], rank: int, rank_count: int) -> Iterator[tuple[Tensor, float]]:
    """The parts that ``rank`` computes, each with weight 1; those it repeats only to keep step have weight 0."""
    for first in range(0, len(parts), rank_count):
        mine = first + rank
        yield (parts[mine], 1.0) if mine < len(parts) else (parts[first], 0.0)
