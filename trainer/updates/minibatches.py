"""Which samples are computed when, and by which rank. Pure.

Invariant: each epoch takes every sample once; every rank makes the same number of passes, so that none waits for ever;
the order depends on seed and version alone.
"""

from collections.abc import Iterator

import torch
from torch import Tensor


def minibatches(sample_count: int, *, epochs: int, count: int, seed: int, version: int) -> Iterator[Tensor]:
    """Samples of each optimiser step: ``count`` random parts of all in each epoch, fewer if samples are fewer."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + version)
    for _ in range(epochs):
        yield from torch.randperm(sample_count, generator=generator).tensor_split(min(count, sample_count))


def micro_batches(sizes: Tensor, samples: Tensor, max_tokens: int) -> Iterator[Tensor]:
    """Split ``samples``, the largest first, into parts of up to ``max_tokens`` tokens; a larger sample goes alone.

    First fit: a part takes what still fits, so that as few passes as possible are needed. ``sizes`` is ``[samples]``.
    """
    parts: list[list[int]] = []
    room: list[int] = []
    for sample in samples[torch.argsort(sizes[samples], stable=True, descending=True)].tolist():
        size = int(sizes[sample])
        fitting = next((number for number, left in enumerate(room) if size <= left), None)
        if fitting is None:
            parts.append([])
            room.append(max_tokens)
            fitting = len(parts) - 1
        parts[fitting].append(sample)
        room[fitting] -= size
    yield from (torch.tensor(part) for part in parts)


def rank_share(parts: list[Tensor], rank: int, rank_count: int) -> Iterator[tuple[Tensor, float]]:
    """The parts that ``rank`` computes, each with weight 1; those it repeats only to keep step have weight 0."""
    for first in range(0, len(parts), rank_count):
        mine = first + rank
        yield (parts[mine], 1.0) if mine < len(parts) else (parts[first], 0.0)
