"""How the models see a window before they are updated: pi_prox, reference, values and teacher, by one pass each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clawstream.schemas import Sample
from clawstream.trainer.batches.batch import Batch, collate_sequences
from clawstream.trainer.batches.packed import Packed
from clawstream.trainer.models.learners import Learners
from clawstream.trainer.models.ranks import rank, rank_count, sum_over_ranks
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.updates.hinted import hinted_steps, places
from clawstream.trainer.updates.minibatches import micro_batches, rank_share

Pass = Callable[[Packed], Tensor]  # -> [k, m]


@dataclass(frozen=True, kw_only=True)
class Before:
    """Of each sampled token, ``[M]``; float32."""

    prox: Tensor
    entropies: Tensor
    reference: Tensor  # 0 without a KL term
    values: Tensor  # 0 without a critic
    teacher: Tensor  # log-probabilities of one who has read the hint; 0 where there is none
    hinted: Tensor  # bool


@torch.no_grad()
def look(learners: Learners, samples: Sequence[Sample], batch: Batch, settings: TrainerSettings) -> Before:
    """One forward pass of each model over ``batch``, shared out over ranks."""

    def passes(packed: Packed) -> Tensor:
        prox, entropies = learners.policy(packed, True)
        reference = values = torch.zeros_like(prox)
        if learners.reference is not None and settings.kl_coefficient:
            reference, _ = learners.reference(packed)
        if learners.critic is not None:
            values = learners.critic(packed)
        return torch.stack([prox, entropies, reference, values])

    prox, entropies, reference, values = over_ranks(passes, 4, learners, batch, settings)
    teacher, hinted = _ask_teacher(learners, samples, batch, settings)
    return Before(prox=prox, entropies=entropies, reference=reference, values=values, teacher=teacher, hinted=hinted)


def over_ranks(passes: Pass, count: int, learners: Learners, batch: Batch, settings: TrainerSettings) -> Tensor:
    """What ``passes`` gives of each of the batch's tokens, ``[count, M]``; each rank computes its share."""
    found = torch.zeros(count, len(batch.tokens.ids))
    parts = list(micro_batches(batch.sizes, torch.arange(len(batch.trees)), settings.max_micro_batch_tokens))
    for samples, weight in rank_share(parts, rank(), rank_count()):
        packed = learners.pack(batch, samples)
        found[:, packed.at] += weight * passes(packed).cpu()
    if rank_count() > 1:
        found = sum_over_ranks(found.to(learners.policy.device)).cpu()
    return found


def _ask_teacher(
    learners: Learners, samples: Sequence[Sample], batch: Batch, settings: TrainerSettings
) -> tuple[Tensor, Tensor]:
    teacher = torch.zeros(len(batch.tokens.ids))
    hinted = torch.zeros(len(batch.tokens.ids), dtype=torch.bool)
    if learners.teacher is None:
        return teacher, hinted
    steps = list(hinted_steps(samples, learners.teacher.writer, learners.limits.max_positions))
    if not steps:
        return teacher, hinted
    asked = learners.teacher.model
    read = collate_sequences([[step.sequence] for step in steps])
    [found] = over_ranks(lambda packed: asked(packed)[0][None], 1, learners, read, settings)
    at = places(steps, batch)
    teacher[at], hinted[at] = found, True
    return teacher, hinted
