"""The same update by TRL's GRPO trainer, where TRL is installed: its model, its loss, its optimiser.

It is given the rows that it would have made: prompts padded on the left, completions on the right, tokens that nobody
sampled masked as those of tools. Micro-batches are ours, by tokens and sorted by length: kinder than its own, by rows.
It takes the sampled tokens for the policy's own: no truncated weights.
"""

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from benchmarks.plain_update import Row, batches, rows
from clawstream.demo.tokenizer import make_tokenizer
from clawstream.schemas import Sample
from clawstream.trainer.settings import TrainerSettings


class TrlTrainer:
    """``GRPOTrainer`` with token-mean loss (its ``dapo``) and no reference model."""

    def __init__(self, folder: Path, settings: TrainerSettings) -> None:
        """Raises ``ImportError`` where TRL is not installed."""
        from datasets import Dataset
        from trl import GRPOConfig, GRPOTrainer

        self._scratch = tempfile.TemporaryDirectory()
        self._budget = settings.max_micro_batch_tokens
        config = GRPOConfig(
            output_dir=self._scratch.name,
            learning_rate=settings.learning_rate,
            loss_type="dapo",
            beta=0.0,
            per_device_train_batch_size=2,
            num_generations=2,
            bf16=False,
            use_cpu=True,
            report_to=[],
        )
        self._trainer = GRPOTrainer(
            model=str(folder),
            reward_funcs=lambda completions, **_: [0.0] * len(completions),
            args=config,
            train_dataset=Dataset.from_list([{"prompt": "a"}] * 2),
            processing_class=make_tokenizer([], vocab_size=0),
        )
        self._trainer.create_optimizer()
        self._model = self._trainer.model
        self._model.train()

    def update(self, samples: list[Sample], *, by_step: bool) -> None:
        """One optimiser step; ``by_step``: each model call is a row of its own."""
        found = list(rows(samples, by_step=by_step))
        grouped = list(batches(found, self._budget))
        self._trainer.current_gradient_accumulation_steps = len(grouped)
        self._trainer.args.steps_per_generation = len(grouped)
        sampled = torch.tensor(float(sum(int(row.mask.sum()) for row in found)))
        for batch in grouped:
            loss = self._trainer.compute_loss(self._model, _inputs(batch) | {"num_items_in_batch": sampled})
            self._trainer.accelerator.backward(loss)
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._trainer.optimizer.step()
        self._trainer.optimizer.zero_grad()


def _inputs(batch: list[Row]) -> dict[str, Any]:
    starts = [int(row.mask.int().argmax()) for row in batch]  # the first sampled token of each
    prompts = [row.tokens[:start] for row, start in zip(batch, starts, strict=True)]
    completions = [row.tokens[start:] for row, start in zip(batch, starts, strict=True)]
    masks = [row.mask[start:] for row, start in zip(batch, starts, strict=True)]
    return {
        "prompt_ids": _padded(prompts, left=True),
        "prompt_mask": _padded([torch.ones_like(prompt) for prompt in prompts], left=True),
        "completion_ids": _padded(completions),
        "completion_mask": _padded([torch.ones_like(completion) for completion in completions]),
        "tool_mask": _padded([mask.long() for mask in masks]),
        "advantages": torch.tensor([row.advantage for row in batch]),
    }


def _padded(found: list[Tensor], *, left: bool = False) -> Tensor:
    width = max(len(each) for each in found)
    return torch.stack([pad(each, (width - len(each), 0) if left else (0, width - len(each))) for each in found])
