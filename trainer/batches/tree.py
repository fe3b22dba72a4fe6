"""A trajectory's sequences as one prefix tree: tokens that they share are there, and are computed, once. Pure.

Invariant: the path of a sequence through the tree spells that sequence, and a token's position is its place in it. A
linear trajectory's tree is the sequence itself::

    sequences   p a t b            tree       p a t b u c
                p a u c            positions  0 1 2 3 2 3
                                   runs       [0,4) after nothing, [4,6) after p a
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Run:
    """Tokens ``[start, end)`` of a tree, one after the other."""

    start: int
    end: int
    prefix: Indices  # the tokens before them, from the root on


@dataclass(frozen=True, kw_only=True)
class PrefixTree:
    """The unique tokens of a trajectory; a token comes after all of those before it."""

    tokens: Indices  # [P]
    positions: Indices  # [P]
    runs: tuple[Run, ...]  # in order, covering all tokens
    paths: tuple[Indices, ...]  # of each sequence, [T]: where in the tree its tokens are


def prefix_tree(sequences: Sequence[NDArray[Any]]) -> PrefixTree:
    """The tree of ``sequences``, ``[T]`` token ids each, in order."""
    paths: list[Indices] = []
    runs: list[Run] = []
    parts: list[NDArray[Any]] = []
    size = 0
    for number, tokens in enumerate(sequences):
        prefix = _longest_prefix(tokens, sequences[:number], paths)
        new = tokens[len(prefix) :]
        if len(new):
            runs.append(Run(start=size, end=size + len(new), prefix=prefix))
            parts.append(new)
        paths.append(np.concatenate([prefix, np.arange(size, size + len(new))]))
        size += len(new)
    positions = [np.arange(len(run.prefix), len(run.prefix) + run.end - run.start) for run in runs]
    return PrefixTree(
        tokens=np.concatenate(parts).astype(np.int64),
        positions=np.concatenate(positions),
        runs=tuple(runs),
        paths=tuple(paths),
    )


def _longest_prefix(tokens: NDArray[Any], earlier: Sequence[NDArray[Any]], paths: Sequence[Indices]) -> Indices:
    """The part of an earlier path that ``tokens`` begin with, the longest there is."""
    best = np.arange(0)
    for other, path in zip(earlier, paths, strict=True):
        shared = _shared(tokens, other)
        if shared > len(best):
            best = path[:shared]
    return best


def _shared(one: NDArray[Any], other: NDArray[Any]) -> int:
    """How many tokens both begin with."""
    width = min(len(one), len(other))
    differing = np.flatnonzero(one[:width] != other[:width])
    return int(differing[0]) if len(differing) else width
