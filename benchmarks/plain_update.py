"""The same update in plain Hugging Face and torch, as a careful person would write it.

Rows are padded on the right and sorted by length, within a token budget; clipped PPO with truncated weights. With one
step it needs no pass before it either.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from clawstream.schemas import Sample, unpack_logprobs, unpack_tokens
from clawstream.trainer.settings import TrainerSettings


@dataclass(frozen=True, kw_only=True)
class Row:
    """A padded row to be."""

    tokens: Tensor  # [T]
    behaviour: Tensor  # [T]
    mask: Tensor  # [T] bool, sampled
    advantage: float


class PlainTrainer:
    """A model, AdamW, and GRPO."""

    def __init__(self, folder: Path, settings: TrainerSettings) -> None:
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa")
        self.model.train()
        self._budget = settings.max_micro_batch_tokens
        self._optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.95), weight_decay=0.0
        )

    def update(self, samples: list[Sample], *, by_step: bool) -> None:
        """One optimiser step; ``by_step``: each model call is a row of its own."""
        self.accumulate(samples, by_step=by_step)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()

    def accumulate(self, samples: list[Sample], *, by_step: bool) -> None:
        """The gradient of the token mean."""
        found = list(rows(samples, by_step=by_step))
        count = sum(int(row.mask.sum()) for row in found)
        for batch in batches(found, self._budget):
            logprobs, mask, behaviour = self._logprobs(batch)
            prox = logprobs.detach()
            advantages = torch.tensor([row.advantage for row in batch])[:, None]
            weights = (prox - behaviour).exp().clamp(max=2.0)
            ratio = (logprobs - prox).exp()
            loss = -torch.minimum(ratio * advantages, ratio.clamp(0.8, 1.28) * advantages)
            (weights * loss * mask).sum().div(count).backward()

    def _logprobs(self, batch: list[Row]) -> tuple[Tensor, Tensor, Tensor]:
        width = max(len(row.tokens) for row in batch)

        def padded(name: str) -> Tensor:
            return torch.stack(
                [torch.nn.functional.pad(getattr(row, name), (0, width - len(row.tokens))) for row in batch]
            )

        tokens, mask, behaviour = padded("tokens"), padded("mask"), padded("behaviour")
        logits = self.model(input_ids=tokens).logits[:, :-1]
        logprobs = logits.log_softmax(dim=-1).gather(2, tokens[:, 1:, None])[..., 0]
        return logprobs * mask[:, 1:], mask[:, 1:], behaviour[:, 1:] * mask[:, 1:]


def rows(samples: list[Sample], *, by_step: bool) -> Iterator[Row]:
    for sample in samples:
        advantage = (sample.reward - sample.group.reward_mean) / (sample.group.reward_std + 1e-6)
        for sequence in sample.sequences:
            tokens = torch.from_numpy(unpack_tokens(sequence.tokens).astype("int64"))
            behaviour = torch.from_numpy(unpack_logprobs(sequence.logprobs).copy())
            cuts = [[span] for span in sequence.responses] if by_step else [sequence.responses]
            for spans in cuts:
                end = spans[-1].end
                mask = torch.zeros(end, dtype=torch.bool)
                for span in spans:
                    mask[span.start : span.end] = True
                yield Row(tokens=tokens[:end], behaviour=behaviour[:end], mask=mask, advantage=advantage)


def batches(rows: list[Row], budget: int) -> Iterator[list[Row]]:
    ordered = sorted(rows, key=lambda row: len(row.tokens), reverse=True)
    while ordered:
        fitting = max(1, budget // len(ordered[0].tokens))
        yield ordered[:fitting]
        ordered = ordered[fitting:]
