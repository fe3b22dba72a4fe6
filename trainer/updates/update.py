"""One update, as in the paper: a window of samples goes in, better weights come out.

::

    pi_prox <- pi                         one forward pass; the first step's tokens need none of their own
    for each epoch, for each minibatch:
        L = sum over its sampled tokens of  aggregation weight * correction * surrogate(pi / pi_prox, A)
            (+ KL, entropy, value loss)
        one optimiser step

Invariant: an update is a function of weights, optimiser state, samples, version and seed, so a process that died during
it does the same again; no state of a random generator has to be kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from clawstream.schemas import Sample
from clawstream.trainer.algorithms.aggregation import token_weights
from clawstream.trainer.algorithms.recipe import recipe_of
from clawstream.trainer.algorithms.rows import row_sum
from clawstream.trainer.batches.batch import Batch, Targets, collate
from clawstream.trainer.models.learners import Learners
from clawstream.trainer.models.ranks import rank, rank_count, sum_over_ranks
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.updates.look import Before, foreknowledge_needed, look
from clawstream.trainer.updates.minibatches import micro_batches, minibatches, rank_share
from clawstream.trainer.updates.objective import critic_objective, policy_objective
from clawstream.trainer.updates.statistics import (
    UpdateStatistics,
    off_policy_metrics,
    require_finite_weights,
    require_sound,
    token_metrics,
)
from clawstream.trainer.updates.targets import make_targets


@dataclass(frozen=True, kw_only=True)
class _Window:
    """What stays the same during an update."""

    batch: Batch
    before: Before  # prox and entropies are filled in where a step finds them
    targets: Targets
    settings: TrainerSettings


def update(learners: Learners, samples: Sequence[Sample], version: int, settings: TrainerSettings) -> dict[str, float]:
    """Train on ``samples`` from ``version``; the update's metrics. Raises ``DivergedError``."""
    torch.manual_seed(settings.seed + version)  # for dropout, where the model has it
    batch = collate(samples)
    order = list(
        minibatches(
            len(samples), epochs=settings.epochs, count=settings.minibatches, seed=settings.seed, version=version
        )
    )
    needed = foreknowledge_needed(learners, settings)
    looked_at = batch.all_samples if needed else torch.cat([order[0][:0], *order[1:]])
    before = look(learners, samples, batch, looked_at, settings)
    targets = make_targets(samples, batch, before, version, settings)
    window = _Window(batch=batch, before=before, targets=targets, settings=settings)
    statistics = UpdateStatistics(learners.policy.device)
    factor = min(1.0, (version + 1) / settings.warmup_updates) if settings.warmup_updates else 1.0

    for minibatch in order:
        _accumulate(learners, window, minibatch, statistics)
        statistics.stepped(learners.policy.step(factor))
        if learners.critic is not None:
            learners.critic.step(factor)

    metrics = statistics.metrics() | off_policy_metrics(before, batch, targets, settings) | token_metrics(batch)
    require_finite_weights(learners, metrics)
    return require_sound(metrics, settings)


def _accumulate(learners: Learners, window: _Window, minibatch: Tensor, statistics: UpdateStatistics) -> None:
    """Add up the gradients of one minibatch, of this rank's micro-batches of it."""
    batch, settings = window.batch, window.settings
    weights = _aggregation(window, minibatch)
    token_count = max(1, int((weights > 0).sum()))
    computed = minibatch if _every_sample_counts(settings) else _with_advantage(window, minibatch)
    parts = list(micro_batches(batch.sizes, computed, settings.max_micro_batch_tokens))
    found = torch.zeros(2, len(batch.tokens.ids))
    for part, weight in rank_share(parts, rank(), rank_count()):
        packed = learners.pack(batch, part)
        device = learners.policy.device
        towards, of_tokens = window.targets.take(packed.at, device), weights[packed.at].to(device)
        logprobs, entropies, top, _ = learners.policy(packed, settings.entropy_coefficient > 0, towards.teacher_ids)
        towards = replace(towards, prox=torch.where(towards.prox.isnan(), logprobs.detach(), towards.prox))
        found[:, packed.at] += weight * torch.stack([logprobs, entropies]).detach().cpu()
        objective = policy_objective(
            logprobs, entropies, top, packed.tokens, towards, of_tokens, token_count, batch.row_count, settings
        )
        learners.policy.backward(weight * objective.loss)
        value_loss = None
        if learners.critic is not None:
            value_loss = critic_objective(learners.critic(packed), towards, of_tokens, settings)
            learners.critic.backward(weight * value_loss)
        statistics.add(objective, value_loss, weight)
    _fill_in(window.before, found, learners.policy.device)


def _fill_in(before: Before, found: Tensor, device: torch.device) -> None:
    """Note what a step found, ``[2, M]``, of tokens that nobody had looked at: pi was pi_prox then."""
    if not before.prox.isnan().any():
        return
    if rank_count() > 1:
        found = sum_over_ranks(found.to(device)).cpu()
    new = before.prox.isnan() & (found[0] != 0)
    before.prox[new], before.entropies[new] = found[0][new], found[1][new]


def _aggregation(window: _Window, minibatch: Tensor) -> Tensor:
    """Each token's weight in the loss of ``minibatch``, ``[M]``; 0 outside of it."""
    tokens, at = window.batch.tokens, window.batch.of_samples(minibatch)
    weights = torch.zeros(len(tokens.ids))
    weights[at] = token_weights(
        recipe_of(window.settings).aggregation,
        window.targets.counted[at],
        row=tokens.row[at],
        step=tokens.step[at],
        sample=tokens.sample[at],
        norm_tokens=window.settings.norm_tokens,
    )
    return weights


def _every_sample_counts(settings: TrainerSettings) -> bool:
    """Whether a sample without advantage has a gradient all the same."""
    terms = (settings.kl_coefficient, settings.entropy_coefficient, settings.hint_top_k)
    return recipe_of(settings).needs_critic or any(terms)


def _with_advantage(window: _Window, samples: Tensor) -> Tensor:
    """The samples that have an advantage, or one if none has: groups of equal rewards cost no pass, and still count."""
    advantages = window.targets.advantages * window.targets.counted
    of_samples = row_sum(advantages.abs(), window.batch.tokens.sample, len(window.batch.trees))
    informative = samples[of_samples[samples] > 0]
    return informative if len(informative) else samples[:1]
