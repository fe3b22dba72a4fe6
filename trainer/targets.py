"""What begins an update: pi_prox, reference and values by one pass each, and the advantages that follow.

Invariant: advantages are computed once, from the weights before the update, over the whole window.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clawstream.schemas import Sample
from clawstream.trainer.advantages import at_last_sampled, gae, grpo_advantage, spread, whiten
from clawstream.trainer.batch import Batch, Targets
from clawstream.trainer.learners import Learners
from clawstream.trainer.minibatches import micro_batches, rank_share
from clawstream.trainer.ranks import rank, rank_count, sum_over_ranks
from clawstream.trainer.settings import TrainerSettings

Pass = Callable[[Batch], tuple[Tensor, ...]]  # a micro-batch -> tensors [B, T]


@dataclass(frozen=True, kw_only=True)
class Before:
    """How the models see a window before they are updated; all ``[N, T]`` float32, 0 where not sampled."""

    prox: Tensor
    entropies: Tensor
    reference: Tensor
    values: Tensor


@torch.no_grad()
def look(learners: Learners, batch: Batch, settings: TrainerSettings) -> Before:
    """One forward pass of each model over ``batch``, shared out over ranks."""

    def passes(part: Batch) -> tuple[Tensor, ...]:
        prox, entropies = learners.policy(part.tokens, part.mask, part.temperatures, True)
        reference = values = torch.zeros_like(prox)
        if learners.reference is not None:
            reference, _ = learners.reference(part.tokens, part.mask, part.temperatures)
        if learners.critic is not None:
            values = learners.critic(part.tokens, part.mask)
        return prox, entropies, reference, values

    found = torch.zeros(4, *batch.mask.shape)
    parts = list(micro_batches(batch.lengths, torch.arange(len(batch.lengths)), settings.max_micro_batch_tokens))
    for rows, weight in rank_share(parts, rank(), rank_count()):
        part = batch.of_rows(rows, learners.policy.device)
        width = part.mask.shape[1]
        found[:, rows, :width] += weight * torch.stack(passes(part)).cpu()
    if rank_count() > 1:
        found = sum_over_ranks(found.to(learners.policy.device)).cpu()
    prox, entropies, reference, values = found
    return Before(prox=prox, entropies=entropies, reference=reference, values=values)


def make_targets(samples: Sequence[Sample], batch: Batch, before: Before, settings: TrainerSettings) -> Targets:
    """Advantages of every sampled token, by the configured algorithm."""
    if settings.algorithm == "ppo":
        advantages, returns = _ppo(samples, batch, before.values, settings)
    else:
        advantages, returns = _grpo(samples, batch), torch.zeros_like(before.values)
    return Targets(
        prox=before.prox, reference=before.reference, advantages=advantages, values=before.values, returns=returns
    )


def _grpo(samples: Sequence[Sample], batch: Batch) -> Tensor:
    of_samples = [
        grpo_advantage(sample.reward, sample.group.reward_mean, sample.group.reward_std, sample.group.size)
        for sample in samples
    ]
    return spread(torch.tensor(of_samples)[batch.sample_of_row], batch.mask)


def _ppo(samples: Sequence[Sample], batch: Batch, values: Tensor, settings: TrainerSettings) -> tuple[Tensor, Tensor]:
    """The outcome reward is given at the last sampled token of each of the trajectory's sequences: all led to it."""
    rewards = torch.tensor([sample.reward for sample in samples])[batch.sample_of_row]
    at_end = at_last_sampled(rewards, batch.mask)
    advantages, returns = gae(at_end, values, batch.mask, gamma=settings.gamma, lam=settings.gae_lambda)
    return whiten(advantages, batch.mask), returns
