"""The steps of a window as one who has read their hints would see them: ``prompt with hint | the same response``.

Invariant: the sampled tokens and their temperature stay as they are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clawstream.schemas import ResponseSpan, Sample, pack_logprobs, pack_tokens, unpack_logprobs, unpack_tokens
from clawstream.schemas import Sequence as TokenSequence
from clawstream.trainer.algorithms.rewards import hints, recorded_teacher
from clawstream.trainer.batches.batch import Batch
from clawstream.trainer.models.hint_writer import HintWriter


@dataclass(frozen=True, kw_only=True)
class HintedStep:
    """A step with a hint."""

    sample: int  # number in the window
    step_id: str
    sequence: TokenSequence  # hinted prompt and response


def hinted_steps(samples: Sequence[Sample], writer: HintWriter, max_tokens: int) -> Iterator[HintedStep]:
    """Every step that has a hint, where there is a place for it and the whole is within ``max_tokens``."""
    for number, sample in enumerate(samples):
        of_steps = hints(sample)
        for sequence in sample.sequences:
            for span in sequence.responses:
                if span.step_id not in of_steps:
                    continue
                read = _read(sequence, span, of_steps[span.step_id], writer)
                if read is not None and read.responses[0].end <= max_tokens:
                    yield HintedStep(sample=number, step_id=span.step_id, sequence=read)


def places(steps: Sequence[HintedStep], batch: Batch) -> Tensor:
    """Where in ``batch`` the tokens of ``steps`` lie, in their order."""
    ranges = _ranges(batch)
    return torch.cat([torch.arange(*ranges[step.sample, step.step_id]) for step in steps])


def recorded(samples: Sequence[Sample], batch: Batch) -> tuple[Tensor, Tensor]:
    """What the processors' teacher said of each token, ``[M]``, 0 where it said nothing; and where it did.

    What does not fit a step's tokens one by one is none.
    """
    said = torch.zeros(len(batch.tokens.ids))
    hinted = torch.zeros(len(batch.tokens.ids), dtype=torch.bool)
    ranges = _ranges(batch)
    for number, sample in enumerate(samples):
        for step_id, packed in recorded_teacher(sample).items():
            begin, end = ranges.get((number, step_id), (0, 0))
            logprobs = torch.tensor(unpack_logprobs(packed))
            if len(logprobs) == end - begin and logprobs.isfinite().all():
                said[begin:end], hinted[begin:end] = logprobs, True
    return said, hinted


def _ranges(batch: Batch) -> dict[tuple[int, str], tuple[int, int]]:
    """Where the tokens of each step begin and end, by number of the sample and id of the step."""
    ends = torch.bincount(batch.tokens.step).cumsum(0).tolist()
    steps = zip(batch.sample_of_step, batch.step_ids, strict=True)
    return dict(zip(steps, zip([0, *ends], ends, strict=False), strict=True))


def _read(sequence: TokenSequence, span: ResponseSpan, hint: str, writer: HintWriter) -> TokenSequence | None:
    tokens = unpack_tokens(sequence.tokens).tolist()
    prompt = writer.write(tokens[: span.start], hint)
    if prompt is None:
        return None
    response = tokens[span.start : span.end]
    start, end = len(prompt), len(prompt) + len(response)
    return TokenSequence(
        tokens=pack_tokens([*prompt, *response]),
        logprobs=pack_logprobs([0.0] * end),
        responses=[ResponseSpan(step_id=span.step_id, start=start, end=end, temperature=span.temperature)],
        policy_spans=sequence.policy_spans[:1],
    )
