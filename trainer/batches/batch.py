"""A window as tensors: its sampled tokens, flat, and the prefix trees that they are predicted from.

Invariant: every token that a step sampled is here exactly once, in the order of samples, sequences and positions; what
was not sampled is only in a tree::

    sequence   s u a a t a e        ids       a a a e
                                    source    1 2 4 5      the token before, in the tree
                                    step      0 0 1 1
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clawstream.schemas import PolicySpan, ResponseSpan, Sample, unpack_logprobs, unpack_tokens
from clawstream.schemas import Sequence as TokenSequence
from clawstream.trainer.batches.tree import Indices, PrefixTree, prefix_tree


class _Flat:
    """Tensors of sampled tokens, ``[M]`` each."""

    def take(self, at: Tensor, device: torch.device) -> Self:
        """The tokens at ``at``, on ``device``."""
        taken = {field.name: getattr(self, field.name)[at].to(device, non_blocking=True) for field in fields(self)}  # type: ignore[arg-type]
        return type(self)(**taken)


@dataclass(frozen=True, kw_only=True)
class Tokens(_Flat):
    """Sampled tokens."""

    ids: Tensor  # int64
    behaviour: Tensor  # float32, log-probabilities of the policies that sampled
    temperatures: Tensor  # float32
    versions: Tensor  # int64, policy that sampled
    source: Tensor  # int64, place of the token before in its sample's tree
    step: Tensor  # int64, number of its step in the window
    row: Tensor  # int64, number of its sequence in the window
    sample: Tensor  # int64, number of its sample in the window


@dataclass(frozen=True, kw_only=True)
class Targets(_Flat):
    """What policy and critic are trained towards."""

    prox: Tensor  # float32, log-probabilities of the policy that begins the update
    reference: Tensor  # float32, log-probabilities of the initial weights; 0 without a KL term
    advantages: Tensor  # float32
    values: Tensor  # float32, of the critic that begins the update; 0 without one
    returns: Tensor  # float32
    hinted: Tensor  # bool; true where a teacher has read a hint
    teacher_top: Tensor  # [M, K] float32, log-probabilities of the teacher's most likely tokens
    teacher_ids: Tensor  # [M, K] int64, these tokens
    counted: Tensor  # bool; false: no part of the loss, nor of what it is divided by


@dataclass(frozen=True, kw_only=True)
class Batch:
    """All samples of a window."""

    tokens: Tokens
    trees: tuple[PrefixTree, ...]  # of each sample
    step_ids: tuple[str, ...]  # of each step, by number
    sample_of_step: tuple[int, ...]
    row_count: int

    @property
    def all_samples(self) -> Tensor:
        """The numbers of all samples."""
        return torch.arange(len(self.trees))

    @property
    def sizes(self) -> Tensor:
        """Tokens of each sample's tree, ``[samples]`` int64."""
        return torch.tensor([len(tree.tokens) for tree in self.trees])

    def of_samples(self, samples: Tensor) -> Tensor:
        """Where the tokens of ``samples`` lie, in the order of ``samples``."""
        counts = torch.bincount(self.tokens.sample, minlength=len(self.trees))
        ends = counts.cumsum(0)
        none = torch.zeros(0, dtype=torch.int64)
        return torch.cat([none, *(torch.arange(int(ends[n] - counts[n]), int(ends[n])) for n in samples.tolist())])


@dataclass(frozen=True, kw_only=True)
class _Span:
    """One step's tokens, and the numbers of what it is part of."""

    sample: int
    row: int
    sequence: TokenSequence
    path: Indices  # of its sequence through its sample's tree
    response: ResponseSpan


def collate(samples: Sequence[Sample]) -> Batch:
    """One batch of ``samples``, in order."""
    return collate_sequences([sample.sequences for sample in samples])


def collate_sequences(samples: Sequence[Sequence[TokenSequence]]) -> Batch:
    """The same of their sequences alone."""
    trees = tuple(prefix_tree([unpack_tokens(each.tokens) for each in sequences]) for sequences in samples)
    spans = list(_spans(samples, trees))
    columns = [_columns(span, number) for number, span in enumerate(spans)]
    return Batch(
        tokens=Tokens(**{name: torch.from_numpy(np.concatenate([c[name] for c in columns])) for name in columns[0]}),
        trees=trees,
        step_ids=tuple(span.response.step_id for span in spans),
        sample_of_step=tuple(span.sample for span in spans),
        row_count=sum(len(sequences) for sequences in samples),
    )


def _spans(samples: Sequence[Sequence[TokenSequence]], trees: Sequence[PrefixTree]) -> Iterator[_Span]:
    row = 0
    for number, (sequences, tree) in enumerate(zip(samples, trees, strict=True)):
        for sequence, path in zip(sequences, tree.paths, strict=True):
            for response in sequence.responses:
                yield _Span(sample=number, row=row, sequence=sequence, path=path, response=response)
            row += 1


def _columns(span: _Span, step: int) -> dict[str, NDArray[Any]]:
    start, end = span.response.start, span.response.end
    return {
        "ids": unpack_tokens(span.sequence.tokens)[start:end].astype(np.int64),
        "behaviour": unpack_logprobs(span.sequence.logprobs)[start:end],
        "temperatures": np.full(end - start, span.response.temperature, np.float32),
        "versions": _versions(span.sequence.policy_spans, start, end),
        "source": span.path[start - 1 : end - 1],
        "step": np.full(end - start, step),
        "row": np.full(end - start, span.row),
        "sample": np.full(end - start, span.sample),
    }


def _versions(policy_spans: Sequence[PolicySpan], start: int, end: int) -> NDArray[np.int64]:
    """The version of each token in ``[start, end)``; of one that no span names, the oldest of the sequence."""
    versions = np.full(end - start, min(span.version for span in policy_spans), np.int64)
    for span in policy_spans:
        versions[max(span.start - start, 0) : max(span.end - start, 0)] = span.version
    return versions
