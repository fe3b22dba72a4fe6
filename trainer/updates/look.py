"""How the models see a window before they are updated: pi_prox, reference, values and teacher, by one pass each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clawstream.schemas import Sample
from clawstream.trainer.algorithms.recipe import recipe_of
from clawstream.trainer.batches.batch import Batch, collate_sequences
from clawstream.trainer.batches.packed import Packed
from clawstream.trainer.models.learners import Learners
from clawstream.trainer.models.ranks import rank, rank_count, sum_over_ranks
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.updates.hinted import hinted_steps, places, recorded
from clawstream.trainer.updates.minibatches import micro_batches, rank_share

Pass = Callable[[Packed], Tensor]  # -> [k, m]


@dataclass(frozen=True, kw_only=True)
class Before:
    """Of each sampled token, ``[M]``; float32."""

    prox: Tensor  # NaN where it was not asked for
    entropies: Tensor  # NaN where they were not asked for
    reference: Tensor  # 0 without a KL term
    values: Tensor  # 0 without a critic
    teacher: Tensor  # log-probabilities of one who has read the hint; 0 where there is none
    hinted: Tensor  # bool
    teacher_top: Tensor  # [M, K] log-probabilities of the teacher's most likely tokens
    teacher_ids: Tensor  # [M, K] int64, these tokens


def foreknowledge_needed(learners: Learners, settings: TrainerSettings) -> bool:
    """Whether advantages or losses need what the models say of every token before anything is trained.

    If not, pi_prox of the first step's tokens is what that step itself computes, and costs no pass.
    """
    return (
        settings.epochs > 1
        or learners.critic is not None
        or learners.reference is not None
        or recipe_of(settings).needs_teacher
    )


@torch.no_grad()
def look(
    learners: Learners, samples: Sequence[Sample], batch: Batch, looked_at: Tensor, settings: TrainerSettings
) -> Before:
    """One forward pass of each model over the samples ``looked_at``, shared out over ranks."""

    def passes(packed: Packed) -> Tensor:
        prox, entropies, *_ = learners.policy(packed)
        reference = values = torch.zeros_like(prox)
        if learners.reference is not None and settings.kl_coefficient:
            reference, *_ = learners.reference(packed)
        if learners.critic is not None:
            values = learners.critic(packed)
        return torch.stack([prox, entropies, reference, values])

    prox, entropies, reference, values = over_ranks(passes, 4, learners, batch, looked_at, settings)
    unseen = torch.ones(len(prox), dtype=torch.bool)
    unseen[batch.of_samples(looked_at)] = False
    prox[unseen] = entropies[unseen] = torch.nan
    said, hinted = _ask_teacher(learners, samples, batch, settings)
    top = said[1:].reshape(2, settings.hint_top_k, said.shape[1]).transpose(1, 2)
    return Before(
        prox=prox,
        entropies=entropies,
        reference=reference,
        values=values,
        teacher=said[0],
        hinted=hinted,
        teacher_top=top[0],
        teacher_ids=top[1].long(),
    )


def over_ranks(
    passes: Pass, count: int, learners: Learners, batch: Batch, samples: Tensor, settings: TrainerSettings
) -> Tensor:
    """What ``passes`` gives of each token of ``samples``, ``[count, M]``, 0 elsewhere; each rank computes its share."""
    found = torch.zeros(count, len(batch.tokens.ids))
    parts = list(micro_batches(batch.sizes, samples, settings.max_micro_batch_tokens))
    for part, weight in rank_share(parts, rank(), rank_count()):
        packed = learners.pack(batch, part)
        found[:, packed.at] += weight * passes(packed).cpu()
    if rank_count() > 1:
        found = sum_over_ranks(found.to(learners.policy.device)).cpu()
    return found


def _ask_teacher(
    learners: Learners, samples: Sequence[Sample], batch: Batch, settings: TrainerSettings
) -> tuple[Tensor, Tensor]:
    """What the teacher says, ``[1 + 2 K, M]``: of each token, of its top tokens, their ids; and where it says it."""
    hint_top_k = settings.hint_top_k
    said = torch.zeros(1 + 2 * hint_top_k, len(batch.tokens.ids))
    hinted = torch.zeros(len(batch.tokens.ids), dtype=torch.bool)
    if learners.teacher is None:
        if recipe_of(settings).needs_teacher:
            said[0], hinted = recorded(samples, batch)
        return said, hinted
    steps = list(hinted_steps(samples, learners.teacher.writer, learners.limits.max_positions))
    if not steps:
        return said, hinted
    asked = learners.teacher.model

    def passes(packed: Packed) -> Tensor:
        logprobs, _, top_logprobs, top_ids = asked(packed, False, hint_top_k)
        return torch.cat([logprobs[None], top_logprobs.T, top_ids.T])

    read = collate_sequences([[step.sequence] for step in steps])
    at = places(steps, batch)
    said[:, at], hinted[at] = over_ranks(passes, len(said), learners, read, read.all_samples, settings), True
    return said, hinted
