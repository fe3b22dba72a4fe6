"""What one pass over a micro-batch minimises: the policy's loss, and the critic's.

Invariant: all that is summed here is divided by the minibatch's token count, so micro-batches add up to its token mean.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from clawstream.trainer.batch import Batch, Targets
from clawstream.trainer.losses import decoupled_policy_loss, importance_weights, k3, token_mean, value_loss
from clawstream.trainer.settings import TrainerSettings


@dataclass(frozen=True, kw_only=True)
class PolicyObjective:
    """A scalar to minimise, and what is reported of it."""

    loss: Tensor  # [] with gradient: this part's share of the minibatch's token mean
    policy_loss: Tensor  # [] the clipped surrogate alone
    clipped: Tensor  # [] share of the minibatch's tokens whose gradient the clip holds back


def policy_objective(
    logprobs: Tensor, entropies: Tensor, batch: Batch, targets: Targets, token_count: int, settings: TrainerSettings
) -> PolicyObjective:
    """The decoupled clipped surrogate, with KL towards the reference and an entropy bonus where they are asked for."""
    surrogate = decoupled_policy_loss(
        logprobs,
        targets.prox,
        targets.advantages,
        importance_weights(targets.prox, batch.behaviour, settings.tis_threshold),
        clip_low=settings.clip_low,
        clip_high=settings.clip_high,
        dual_clip=settings.dual_clip,
    )
    policy_loss = token_mean(surrogate.loss, batch.mask, token_count)
    loss = policy_loss
    if settings.kl_coefficient:
        loss = loss + settings.kl_coefficient * token_mean(k3(logprobs, targets.reference), batch.mask, token_count)
    if settings.entropy_coefficient:
        loss = loss - settings.entropy_coefficient * token_mean(entropies, batch.mask, token_count)
    clipped = token_mean(surrogate.clipped.to(torch.float32), batch.mask, token_count)
    return PolicyObjective(loss=loss, policy_loss=policy_loss.detach(), clipped=clipped)


def critic_objective(
    values: Tensor, batch: Batch, targets: Targets, token_count: int, settings: TrainerSettings
) -> Tensor:
    """The clipped value loss, a scalar with gradient."""
    per_token = value_loss(values, targets.values, targets.returns, settings.value_clip)
    return token_mean(per_token, batch.mask, token_count)
