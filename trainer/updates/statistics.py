"""The numbers of an update: means over its sampled tokens and its steps."""

import torch
from torch import Tensor

from clawstream.trainer.algorithms.clip import effective_sample_size
from clawstream.trainer.algorithms.correction import correction_weights
from clawstream.trainer.algorithms.divergence import k1, k3
from clawstream.trainer.batches.batch import Batch, Targets
from clawstream.trainer.errors import DivergedError
from clawstream.trainer.models.learners import Learners
from clawstream.trainer.models.ranks import sum_over_ranks
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.updates.look import Before
from clawstream.trainer.updates.objective import PolicyObjective


class UpdateStatistics:
    """Sums over passes; each pass holds its share of a minibatch, so steps are averaged."""

    def __init__(self, device: torch.device) -> None:
        self._sums = torch.zeros(4, device=device)  # policy loss, clipped, moved, value loss
        self._norms: list[float] = []

    def add(self, policy: PolicyObjective, value_loss: Tensor | None, weight: float) -> None:
        """Count one pass."""
        value = torch.zeros_like(policy.policy_loss) if value_loss is None else value_loss.detach()
        self._sums += weight * torch.stack([policy.policy_loss, policy.clipped, policy.moved, value]).float()

    def stepped(self, gradient_norm: float) -> None:
        """Count one optimiser step."""
        self._norms.append(gradient_norm)

    def metrics(self) -> dict[str, float]:
        """Means over steps, of all ranks together."""
        steps = len(self._norms)
        policy_loss, clipped, moved, value_loss = (sum_over_ranks(self._sums) / steps).tolist()
        return {
            "policy_loss": policy_loss,
            "clip_fraction": clipped,
            "kl_update": moved,
            "value_loss": value_loss,
            "grad_norm": sum(self._norms) / steps,
            "grad_norm_max": max(self._norms),
        }


def off_policy_metrics(before: Before, batch: Batch, targets: Targets, settings: TrainerSettings) -> dict[str, float]:
    """How far the policies that sampled are from the one that began the update, over the sampled tokens that a
    pass was made for.

    ``kl_prox_behaviour`` is k3 of the tokens of mu; weights are those that the loss uses.
    """
    known = ~before.prox.isnan()
    prox, behaviour = before.prox[known], batch.tokens.behaviour[known]
    weights = correction_weights(prox, behaviour, batch.tokens.row[known], batch.row_count, settings)
    metrics = {
        "kl_prox_behaviour": k3(behaviour, prox).mean().item(),
        "entropy": before.entropies[known].mean().item(),
        "mean_weight": weights.mean().item(),
        "ess": effective_sample_size(weights).item(),
        "max_abs_dlogp": (prox - behaviour).abs().max().item(),
        "counted_fraction": targets.counted.float().mean().item(),
    }
    if settings.kl_coefficient:
        metrics["kl_reference"] = k1(prox, before.reference[known]).mean().item()
    if before.hinted.any():
        metrics["hinted_fraction"] = before.hinted.float().mean().item()
        metrics["teacher_gain"] = (before.teacher - before.prox)[before.hinted].mean().item()
    return metrics


def token_metrics(batch: Batch) -> dict[str, float]:
    """``tokens_unique``: of the prefix trees; ``tokens_in_steps``: of every step's prompt and answer, unpacked."""
    lengths = torch.bincount(batch.tokens.step)
    firsts = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)[:-1]])
    unpacked = 0
    for step, first in enumerate(firsts.tolist()):
        tree = batch.trees[batch.sample_of_step[step]]
        unpacked += int(tree.positions[int(batch.tokens.source[first])]) + 1 + int(lengths[step])
    return {"tokens_unique": float(batch.sizes.sum()), "tokens_in_steps": float(unpacked)}


def require_finite_weights(learners: Learners, metrics: dict[str, float]) -> None:
    """Raise ``DivergedError``, on all ranks alike, when a weight is not finite."""
    parameters = [parameter for engine in learners.trained() for parameter in engine.module.parameters()]
    mine = [
        getattr(parameter, "ds_tensor", parameter) for parameter in parameters
    ]  # this rank's part, where it is sharded
    count = torch.stack([(~part.isfinite()).sum() for part in mine]).sum()
    if (bad := int(sum_over_ranks(count))) > 0:
        raise DivergedError(f"{bad} weights are not finite: the update is thrown away", metrics)


def require_sound(metrics: dict[str, float], settings: TrainerSettings) -> dict[str, float]:
    """``metrics``. Raises ``DivergedError`` naming what is not finite, or beyond what an update may do."""
    for name, value in metrics.items():
        if not -float("inf") < value < float("inf"):
            raise DivergedError(f"{name} is {value}: the update is thrown away, lower the learning rate", metrics)
    for name, limit in (("grad_norm_max", settings.max_grad_norm), ("kl_update", settings.max_update_kl)):
        if metrics[name] > limit:
            raise DivergedError(
                f"{name} is {metrics[name]:g}, more than {limit:g}: the update is thrown away, lower the learning rate",
                metrics,
            )
    return metrics
