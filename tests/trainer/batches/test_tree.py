"""Prefix trees: every sequence is a path, every shared token is there once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clawstream.trainer.batches.tree import prefix_tree


def arrays(*sequences: list[int]) -> list[np.ndarray]:
    return [np.array(sequence, np.int32) for sequence in sequences]


def test_a_linear_trajectory_is_its_own_tree() -> None:
    tree = prefix_tree(arrays([5, 6, 7]))
    assert tree.tokens.tolist() == [5, 6, 7]
    assert tree.positions.tolist() == [0, 1, 2]
    assert [(run.start, run.end, run.prefix.tolist()) for run in tree.runs] == [(0, 3, [])]


def test_a_branch_adds_only_what_is_new() -> None:
    tree = prefix_tree(arrays([1, 2, 3, 4], [1, 2, 5, 6], [1, 2, 5, 7], [1, 2]))
    assert tree.tokens.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert tree.positions.tolist() == [0, 1, 2, 3, 2, 3, 3]
    assert [(run.start, run.end, run.prefix.tolist()) for run in tree.runs] == [
        (0, 4, []),
        (4, 6, [0, 1]),
        (6, 7, [0, 1, 4]),
    ]
    assert tree.paths[3].tolist() == [0, 1]


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), min_size=1, max_size=6))
def test_paths_spell_the_sequences_and_nothing_is_there_twice(sequences: list[list[int]]) -> None:
    tree = prefix_tree(arrays(*sequences))
    for sequence, path in zip(sequences, tree.paths, strict=True):
        assert tree.tokens[path].tolist() == sequence
        assert tree.positions[path].tolist() == list(range(len(sequence)))
    unique = {tuple(sequence[:end]) for sequence in sequences for end in range(1, len(sequence) + 1)}
    assert len(tree.tokens) == len(unique)
    assert [run.start for run in tree.runs] == [0, *(run.end for run in tree.runs)][:-1]
