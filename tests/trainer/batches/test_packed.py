"""Packing: who attends to whom, and where each token is predicted from."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from clawstream.trainer.batches.batch import collate_sequences
from clawstream.trainer.batches.packed import Packed, pack
from tests.trainer.trees import BRANCHING, a_path

CPU = torch.device("cpu")


def attended(packed: Packed) -> np.ndarray:
    """Which packed token attends to which, ``[P, P]`` bool, as the layout says it."""
    assert packed.layout is not None
    found = np.zeros((packed.computed, packed.computed), bool)
    for bucket in packed.layout.buckets:
        for run in bucket.tolist():
            for place, token in enumerate(dict.fromkeys(run)):
                found[token, run[: place + 1]] = True
    for branch in packed.layout.branches:
        path = branch.path.tolist()
        for token in range(branch.start, branch.end):
            found[token, path[: path.index(token) + 1]] = True
    return found


def test_a_branching_trajectory_attends_along_its_paths() -> None:
    batch = collate_sequences([BRANCHING])
    packed = pack(batch, torch.tensor([0]), CPU)
    expected = np.zeros((14, 14), bool)
    for path in batch.trees[0].paths:
        for place, token in enumerate(path):
            expected[token, path[: place + 1]] = True
    assert (attended(packed) == expected).all()


@given(st.lists(st.integers(2, 9), min_size=1, max_size=7), st.randoms())
def test_samples_lie_side_by_side_and_never_see_each_other(lengths: list[int], random: object) -> None:
    sequences = [[a_path(list(range(n)), ("s", 1, n))] for n in lengths]
    batch = collate_sequences(sequences)
    order = torch.tensor(range(len(lengths) - 1, -1, -1))
    packed = pack(batch, order, CPU)
    assert packed.computed == sum(lengths)
    ends = np.cumsum([lengths[number] for number in order.tolist()])
    expected = np.zeros((packed.computed, packed.computed), bool)
    for end, start in zip(ends, [0, *ends[:-1]], strict=True):
        expected[start:end, start:end] = np.tril(np.ones((end - start, end - start), bool))
    assert (attended(packed) == expected).all()
    assert packed.input_ids.flatten()[packed.source].tolist() == (packed.tokens.ids - 1).tolist()


def test_rows_hold_each_sequence_whole() -> None:
    batch = collate_sequences([[a_path([7, 8, 9], ("s", 1, 3))], BRANCHING])
    packed = pack(batch, torch.tensor([1, 0]), CPU, as_rows=True)
    assert packed.input_ids.shape == (4, 10)
    assert packed.input_ids[3].tolist() == [7, 8, 9] + [0] * 7
    before = packed.input_ids.flatten()[packed.source]
    assert before.tolist() == [12, 13, 14, 21, 31, 32, 11, 40, 7, 8]
    assert packed.tokens.ids.tolist() == [13, 14, 15, 22, 32, 33, 40, 41, 8, 9]
