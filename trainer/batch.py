"""Samples as tensors. All are ``[N, T]``, a row for each sequence, aligned with the token: column t speaks of token t.

Invariant: every token that a step sampled is under ``mask`` exactly once; padding and what was not sampled never are::

    tokens   s u a a t a a e . .
    mask     0 0 1 1 0 1 1 1 0 0
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clawstream.schemas import Sample, unpack_logprobs, unpack_tokens
from clawstream.schemas import Sequence as TokenSequence


class _Rows:
    """Tensors with a row for each sequence, ``[N, T]`` or ``[N]``."""

    def take(self, rows: Tensor, width: int, device: torch.device) -> Self:
        """The given rows on ``device``, cut to ``width`` columns."""
        taken: dict[str, Tensor] = {}
        for name, tensor in vars(self).items():
            chosen = tensor[rows] if tensor.dim() == 1 else tensor[rows, :width]
            taken[name] = chosen.to(device, non_blocking=True)
        return type(self)(**taken)


@dataclass(frozen=True, kw_only=True)
class Batch(_Rows):
    """Sequences as they were sampled."""

    tokens: Tensor  # [N, T] int64, padded with 0
    mask: Tensor  # [N, T] bool, true where a token was sampled
    behaviour: Tensor  # [N, T] float32, log-probabilities of the policies that sampled; 0 elsewhere
    temperatures: Tensor  # [N, T] float32, 1 where not sampled
    lengths: Tensor  # [N] int64, tokens without padding
    sample_of_row: Tensor  # [N] int64, position of the sample in its window

    def of_rows(self, rows: Tensor, device: torch.device) -> "Batch":
        """The given rows, no wider than the longest of them."""
        return self.take(rows, int(self.lengths[rows].max()), device)


@dataclass(frozen=True, kw_only=True)
class Targets(_Rows):
    """What policy and critic are trained towards; all ``[N, T]`` float32, 0 where not sampled."""

    prox: Tensor  # log-probabilities of the policy that begins the update
    reference: Tensor  # log-probabilities of the initial weights; 0 without a KL term
    advantages: Tensor
    values: Tensor  # of the critic that begins the update; 0 without one
    returns: Tensor


def collate(samples: Sequence[Sample]) -> Batch:
    """One batch of all sequences of ``samples``, in order."""
    numbered = [(number, sequence) for number, sample in enumerate(samples) for sequence in sample.sequences]
    lengths = [len(unpack_tokens(sequence.tokens)) for _, sequence in numbered]
    shape = (len(numbered), max(lengths))
    tokens, mask = np.zeros(shape, np.int64), np.zeros(shape, bool)
    behaviour, temperatures = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    for row, (_, sequence) in enumerate(numbered):
        _fill(sequence, tokens[row], mask[row], behaviour[row], temperatures[row])
    return Batch(
        tokens=torch.from_numpy(tokens),
        mask=torch.from_numpy(mask),
        behaviour=torch.from_numpy(behaviour),
        temperatures=torch.from_numpy(temperatures),
        lengths=torch.tensor(lengths),
        sample_of_row=torch.tensor([number for number, _ in numbered]),
    )


def _fill(
    sequence: TokenSequence,
    tokens: NDArray[Any],
    mask: NDArray[Any],
    behaviour: NDArray[Any],
    temperatures: NDArray[Any],
) -> None:
    ids, logprobs = unpack_tokens(sequence.tokens), unpack_logprobs(sequence.logprobs)
    tokens[: len(ids)] = ids
    for span in sequence.responses:
        sampled = slice(span.start, span.end)
        mask[sampled] = True
        behaviour[sampled] = logprobs[sampled]
        temperatures[sampled] = span.temperature
