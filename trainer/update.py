"""One update, as in the paper: a window of samples goes in, better weights come out.

::

    pi_prox <- pi                         one forward pass; importance weights and advantages follow from it
    for each epoch, for each minibatch:
        L = mean over its sampled tokens of  w * clip(pi / pi_prox, A)      (+ KL, entropy, value loss)
        one optimiser step

Invariant: an update is a function of weights, optimiser state, samples, version and seed, so a process that died during
it does the same again; no state of a random generator has to be kept.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from clawstream.schemas import Sample
from clawstream.trainer.batch import Batch, Targets, collate
from clawstream.trainer.learners import Learners
from clawstream.trainer.minibatches import micro_batches, minibatches, rank_share
from clawstream.trainer.objective import critic_objective, policy_objective
from clawstream.trainer.ranks import rank, rank_count
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.statistics import UpdateStatistics, off_policy_metrics, reference_metrics, require_finite
from clawstream.trainer.targets import look, make_targets


def update(learners: Learners, samples: Sequence[Sample], version: int, settings: TrainerSettings) -> dict[str, float]:
    """Train on ``samples`` from ``version``; the update's metrics. Raises ``DivergedError``."""
    torch.manual_seed(settings.seed + version)  # for dropout, where the model has it
    batch = collate(samples)
    before = look(learners, batch, settings)
    targets = make_targets(samples, batch, before, settings)
    statistics = UpdateStatistics(learners.policy.device)
    factor = min(1.0, (version + 1) / settings.warmup_updates) if settings.warmup_updates else 1.0

    order = minibatches(
        len(batch.lengths), epochs=settings.epochs, count=settings.minibatches, seed=settings.seed, version=version
    )
    for minibatch in order:
        _accumulate(learners, batch, targets, minibatch, settings, statistics)
        statistics.stepped(learners.policy.step(factor))
        if learners.critic is not None:
            learners.critic.step(factor)

    metrics = statistics.metrics() | off_policy_metrics(before.prox, batch, before.entropies, settings.tis_threshold)
    if learners.reference is not None:
        metrics |= reference_metrics(before.prox, before.reference, batch)
    return require_finite(metrics)


def _accumulate(
    learners: Learners,
    batch: Batch,
    targets: Targets,
    minibatch: Tensor,
    settings: TrainerSettings,
    statistics: UpdateStatistics,
) -> None:
    """Add up the gradients of one minibatch, of this rank's micro-batches of it."""
    token_count, device = int(batch.mask[minibatch].sum()), learners.policy.device
    rows_with_gradient = minibatch if _every_row_counts(settings) else _with_advantage(minibatch, targets.advantages)
    parts = list(micro_batches(batch.lengths, rows_with_gradient, settings.max_micro_batch_tokens))
    for rows, weight in rank_share(parts, rank(), rank_count()):
        part = batch.of_rows(rows, device)
        towards = targets.take(rows, part.mask.shape[1], device)
        logprobs, entropies = learners.policy(
            part.tokens, part.mask, part.temperatures, settings.entropy_coefficient > 0
        )
        objective = policy_objective(logprobs, entropies, part, towards, token_count, settings)
        learners.policy.backward(weight * objective.loss)
        value_loss = None
        if learners.critic is not None:
            value_loss = critic_objective(learners.critic(part.tokens, part.mask), part, towards, token_count, settings)
            learners.critic.backward(weight * value_loss)
        statistics.add(objective, value_loss, weight)


def _every_row_counts(settings: TrainerSettings) -> bool:
    """Whether a row without advantage has a gradient all the same."""
    return settings.algorithm == "ppo" or settings.kl_coefficient > 0 or settings.entropy_coefficient > 0


def _with_advantage(rows: Tensor, advantages: Tensor) -> Tensor:
    """The rows that have an advantage, or one if none has: groups of equal rewards cost no pass, and still count."""
    informative = rows[advantages[rows].any(dim=1)]
    return informative if len(informative) else rows[:1]
