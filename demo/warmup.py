"""Supervised warm-up: a blank tiny model learns the demonstrations, good and bad alike.

Invariant: only the assistant's own tokens are learned, from the first after ``<|im_start|>assistant`` and its newline
to ``<|im_end|>``; and the same seed sees the same demonstrations in the same order.
"""

import random
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from rich.progress import Progress, TextColumn
from torch import Tensor
from torch.nn.functional import cross_entropy

from clawstream.demo.demonstrations import Mixture
from clawstream.demo.lessons import Lessons
from clawstream.demo.tokenizer import END, START

_IGNORED = -100
_MAX_GRADIENT_NORM = 1.0


@dataclass(frozen=True, kw_only=True)
class WarmupSettings:
    """How the warm-up goes.

    Attributes:
        steps: optimiser steps; 0 leaves the model blank.
        batch_size: demonstrations a step.
        peak_learning_rate: AdamW's, after a rise over ``rise_steps`` and before a linear fall over the second half.
        rise_steps: steps until the peak.
        mixture: how good the demonstrations are.
    """

    steps: int = 350
    batch_size: int = 32
    peak_learning_rate: float = 3e-3
    rise_steps: int = 20
    mixture: Mixture = field(default_factory=Mixture)


def warm_up(
    model: Any, tokenizer: Any, settings: WarmupSettings, lessons: Lessons, *, seed: int, progress: bool = True
) -> None:
    """Train ``model`` in place, with a bar on the terminal when ``progress`` is set."""
    rng = random.Random(seed)  # noqa: S311  # nothing here is secret
    batches = _batches(tokenizer, settings, lessons, rng)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.peak_learning_rate, betas=(0.9, 0.95))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _share_of_peak(step, settings))
    columns = (*Progress.get_default_columns(), TextColumn("loss {task.fields[loss]:.3f}"))
    bar = Progress(*columns) if progress else None
    model.train()
    with bar or nullcontext():
        shown = bar.add_task("warm-up", total=settings.steps, loss=float("nan")) if bar else None
        for _ in range(settings.steps):
            loss = _loss(model, *next(batches))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), _MAX_GRADIENT_NORM)
            optimizer.step()
            schedule.step()
            if bar and shown is not None:
                bar.update(shown, advance=1, loss=loss.item())
    model.eval()


def _share_of_peak(step: int, settings: WarmupSettings) -> float:
    rise = (step + 1) / settings.rise_steps
    fall = (settings.steps - step) / max(1.0, settings.steps / 2)
    return min(1.0, rise, max(0.0, fall))


def _batches(
    tokenizer: Any, settings: WarmupSettings, lessons: Lessons, rng: random.Random
) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches of token ids and labels, both ``[batch, longest]``; what is not learned is labelled -100."""
    while True:
        messages = [lessons.demonstrate(rng) for _ in range(settings.batch_size)]
        texts = tokenizer.apply_chat_template(messages, tools=lessons.tools, tokenize=False)
        token_ids = tokenizer(texts, padding=True, return_tensors="pt")["input_ids"]
        yield token_ids, _labels(token_ids, tokenizer)


def _labels(token_ids: Tensor, tokenizer: Any) -> Tensor:
    start, assistant, end = tokenizer.convert_tokens_to_ids([START, "assistant", END])
    labels = torch.full_like(token_ids, _IGNORED)
    for row, row_ids in enumerate(token_ids.tolist()):
        learning = False
        for at in range(3, len(row_ids)):
            learning = learning or row_ids[at - 3 : at - 1] == [start, assistant]
            if learning:
                labels[row, at] = row_ids[at]
                learning = row_ids[at] != end
    return labels


def _loss(model: Any, token_ids: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over the learned tokens; logits are computed for those alone."""
    hidden = model.model(token_ids).last_hidden_state[:, :-1]
    learned = labels[:, 1:] != _IGNORED
    return cross_entropy(model.lm_head(hidden[learned]), labels[:, 1:][learned])
