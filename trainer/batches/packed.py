"""What one forward pass computes: the trees of some samples, one after the other, without padding.

Invariant: a token attends to those before it on its own path and to nothing else. Runs that begin a tree are computed
side by side in buckets of similar lengths; a run that branches off attends to its path::

    input_ids   p a t b u c | q d          buckets   [0 1 2 3]  [6 7]
    positions   0 1 2 3 2 3 | 0 1          branches  [4,6) after 0 1

Models that cannot be told whom a token attends to get rows instead: each sequence whole, padded on the right.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clawstream.trainer.batches.batch import Batch, Tokens
from clawstream.trainer.batches.tree import Indices, PrefixTree, Run

_SIMILAR = 0.75  # shortest to longest of a bucket: padding there costs attention alone


@dataclass(frozen=True, kw_only=True)
class Branch:
    """Tokens ``[start, end)`` and the path that ends with them."""

    start: int
    end: int
    path: Tensor  # [T] int64


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Whom each of P packed tokens attends to."""

    buckets: tuple[Tensor, ...]  # [b, t] int64 each: packed tokens of b runs, the last one repeated as padding
    branches: tuple[Branch, ...]
    order: Tensor  # [P] int64: where a token's result lies when buckets and branches are strung together


@dataclass(frozen=True, kw_only=True)
class Packed:
    """The input of a model."""

    input_ids: Tensor  # [1, P], or [B, T] as rows
    position_ids: Tensor | None  # [1, P]; None as rows
    layout: Layout | None  # None as rows
    source: Tensor  # [m] int64: where, in input_ids flattened, the token before each sampled one is
    tokens: Tokens  # the m sampled tokens
    at: Tensor  # [m] int64: where they lie in the window

    @property
    def computed(self) -> int:
        """Tokens that a pass computes."""
        return self.input_ids.numel()


def pack(batch: Batch, samples: Tensor, device: torch.device, *, as_rows: bool = False) -> Packed:
    """The samples with the given numbers, for one pass on ``device``."""
    at = batch.of_samples(samples)
    trees = [batch.trees[number] for number in samples.tolist()]
    place = torch.zeros(len(batch.trees), dtype=torch.int64)
    place[samples] = torch.arange(len(samples))
    tree_of_token = place[batch.tokens.sample[at]]
    tokens, in_tree = batch.tokens.take(at, device), batch.tokens.source[at]
    if as_rows:
        first_row = torch.tensor([0, *(len(tree.paths) for tree in batch.trees)]).cumsum(0)[samples]
        row_in_tree = batch.tokens.row[at] - first_row[tree_of_token]
        return _rows(trees, tree_of_token, row_in_tree, in_tree, tokens, at)
    starts = np.cumsum([0, *(len(tree.tokens) for tree in trees)])
    return Packed(
        input_ids=_joined([tree.tokens for tree in trees], device)[None],
        position_ids=_joined([tree.positions for tree in trees], device)[None],
        layout=_layout(trees, starts, device),
        source=(in_tree + torch.from_numpy(starts)[tree_of_token]).to(device),
        tokens=tokens,
        at=at,
    )


def _layout(trees: Sequence[PrefixTree], starts: Indices, device: torch.device) -> Layout:
    runs = [(int(start), run) for start, tree in zip(starts, trees, strict=False) for run in tree.runs]
    buckets = list(_buckets([(start, run) for start, run in runs if not len(run.prefix)]))
    branched = [(start, run) for start, run in runs if len(run.prefix)]
    order, offset = np.zeros(starts[-1], np.int64), 0
    for bucket in buckets:
        order[bucket[:, ::-1]] = offset + np.arange(bucket.size).reshape(bucket.shape)[:, ::-1]
        offset += bucket.size
    for start, run in branched:
        order[start + run.start : start + run.end] = np.arange(offset, offset + run.end - run.start)
        offset += run.end - run.start
    branches = [
        Branch(
            start=start + run.start,
            end=start + run.end,
            path=torch.from_numpy(start + np.concatenate([run.prefix, np.arange(run.start, run.end)])).to(device),
        )
        for start, run in branched
    ]
    return Layout(
        buckets=tuple(torch.from_numpy(bucket).to(device) for bucket in buckets),
        branches=tuple(branches),
        order=torch.from_numpy(order).to(device),
    )


def _buckets(roots: Sequence[tuple[int, Run]]) -> Iterator[Indices]:
    """Runs of similar lengths together, ``[b, t]``, the longest first."""
    ordered = sorted(roots, key=lambda root: root[1].end - root[1].start, reverse=True)
    while ordered:
        longest = ordered[0][1].end - ordered[0][1].start
        count = sum(run.end - run.start >= _SIMILAR * longest for _, run in ordered)
        first = np.array([start + run.start for start, run in ordered[:count]])[:, None]
        length = np.array([run.end - run.start for _, run in ordered[:count]])[:, None]
        yield first + np.minimum(np.arange(longest), length - 1)
        ordered = ordered[count:]


def _rows(
    trees: Sequence[PrefixTree], tree_of_token: Tensor, row_in_tree: Tensor, in_tree: Tensor, tokens: Tokens, at: Tensor
) -> Packed:
    """Each sequence whole, ``[B, T]``; a token's source is in the row of its own sequence."""
    device = tokens.ids.device
    paths = [(tree, path) for tree in trees for path in tree.paths]
    width = max(len(path) for _, path in paths)
    input_ids = np.zeros((len(paths), width), np.int64)
    for number, (tree, path) in enumerate(paths):
        input_ids[number, : len(path)] = tree.tokens[path]
    rows_before = torch.tensor([0, *(len(tree.paths) for tree in trees)]).cumsum(0)
    tokens_before = torch.tensor([0, *(len(tree.tokens) for tree in trees)]).cumsum(0)
    positions = torch.from_numpy(np.concatenate([tree.positions for tree in trees]))
    column = positions[tokens_before[tree_of_token] + in_tree]
    return Packed(
        input_ids=torch.from_numpy(input_ids).to(device),
        position_ids=None,
        layout=None,
        source=((rows_before[tree_of_token] + row_in_tree) * width + column).to(device),
        tokens=tokens,
        at=at,
    )


def _joined(parts: Sequence[Indices], device: torch.device) -> Tensor:
    return torch.from_numpy(np.concatenate(parts)).to(device)
