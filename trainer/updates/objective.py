"""What one pass over a micro-batch minimises: the policy's loss, and the critic's.

Invariant: tokens are weighted by the whole minibatch's aggregation, so micro-batches and ranks add up to it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from clawstream.trainer.algorithms.cispo import cispo
from clawstream.trainer.algorithms.clip import Surrogate, ppo_clip
from clawstream.trainer.algorithms.correction import correction_weights
from clawstream.trainer.algorithms.divergence import ESTIMATORS, k3
from clawstream.trainer.algorithms.hints import top_k_divergence
from clawstream.trainer.algorithms.recipe import recipe_of
from clawstream.trainer.algorithms.sequence_ratio import gspo
from clawstream.trainer.algorithms.value_loss import value_loss
from clawstream.trainer.batches.batch import Targets, Tokens
from clawstream.trainer.settings import TrainerSettings


@dataclass(frozen=True, kw_only=True)
class PolicyObjective:
    """A scalar to minimise, and what is reported of it."""

    loss: Tensor  # [] with gradient: this part's share of the minibatch's loss
    policy_loss: Tensor  # [] the surrogate alone
    clipped: Tensor  # [] this part's share of the minibatch's tokens whose gradient the clip holds back
    moved: Tensor  # [] its share of the mean k3 from pi_prox to pi


def policy_objective(
    logprobs: Tensor,
    entropies: Tensor,
    top_logprobs: Tensor,
    tokens: Tokens,
    targets: Targets,
    weights: Tensor,
    token_count: int,
    row_count: int,
    settings: TrainerSettings,
) -> PolicyObjective:
    """The corrected surrogate, with KL towards the reference, an entropy bonus and the divergence from a teacher's top
    tokens where they are asked for; ``top_logprobs`` ``[m, K]`` speak of the latter.

    ``weights`` ``[m]``: each token's in the minibatch's aggregation, 0 where it does not count;
    ``token_count``: how many of the minibatch's tokens count.
    """
    correction = correction_weights(targets.prox, tokens.behaviour, tokens.row, row_count, settings)
    surrogate = _surrogate(logprobs, tokens, targets, row_count, settings)
    policy_loss = _sum(correction * surrogate.loss, weights)
    loss = policy_loss
    if settings.kl_coefficient and not settings.kl_in_reward:
        kl = ESTIMATORS[settings.kl_estimator](logprobs, targets.reference)
        loss = loss + settings.kl_coefficient * _sum(kl, weights)
    if settings.entropy_coefficient:
        loss = loss - settings.entropy_coefficient * _sum(entropies, weights)
    if settings.hint_top_k:
        divergence = torch.where(targets.hinted, top_k_divergence(top_logprobs, targets.teacher_top), 0.0)
        loss = loss + settings.hint_weight * _sum(divergence, weights)
    with torch.no_grad():
        counted = (weights > 0) / token_count
        clipped = (surrogate.clipped * counted).sum()
        moved = (k3(targets.prox, logprobs) * counted).sum()
    return PolicyObjective(loss=loss, policy_loss=policy_loss.detach(), clipped=clipped, moved=moved)


def critic_objective(values: Tensor, targets: Targets, weights: Tensor, settings: TrainerSettings) -> Tensor:
    """The clipped value loss, a scalar with gradient."""
    return _sum(value_loss(values, targets.values, targets.returns, settings.value_clip), weights)


def _surrogate(
    logprobs: Tensor, tokens: Tokens, targets: Targets, row_count: int, settings: TrainerSettings
) -> Surrogate:
    recipe = recipe_of(settings)
    clips = {"clip_low": recipe.clip_low, "clip_high": recipe.clip_high}
    if recipe.surrogate == "cispo":
        return cispo(logprobs, targets.prox, targets.advantages, **clips)
    dual_clip = settings.dual_clip
    if recipe.surrogate == "sequence-clip":
        return gspo(logprobs, targets.prox, targets.advantages, tokens.row, row_count, dual_clip=dual_clip, **clips)
    return ppo_clip(logprobs, targets.prox, targets.advantages, dual_clip=dual_clip, **clips)


def _sum(per_token: Tensor, weights: Tensor) -> Tensor:
    return torch.where(weights > 0, per_token * weights, 0.0).sum()
