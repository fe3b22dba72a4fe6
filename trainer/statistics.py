"""The numbers of an update: means over its sampled tokens and its steps."""

import torch
from torch import Tensor

from clawstream.trainer.batch import Batch
from clawstream.trainer.errors import DivergedError
from clawstream.trainer.losses import effective_sample_size, importance_weights, k1, k3
from clawstream.trainer.objective import PolicyObjective
from clawstream.trainer.ranks import sum_over_ranks


class UpdateStatistics:
    """Sums over passes; each pass holds its share of a minibatch's token mean, so steps are averaged."""

    def __init__(self, device: torch.device) -> None:
        self._sums = torch.zeros(3, device=device)  # policy loss, clipped, value loss
        self._norms: list[float] = []

    def add(self, policy: PolicyObjective, value_loss: Tensor | None, weight: float) -> None:
        """Count one pass."""
        value = torch.zeros_like(policy.policy_loss) if value_loss is None else value_loss.detach()
        self._sums += weight * torch.stack([policy.policy_loss, policy.clipped, value])

    def stepped(self, gradient_norm: float) -> None:
        """Count one optimiser step."""
        self._norms.append(gradient_norm)

    def metrics(self) -> dict[str, float]:
        """Means over steps, of all ranks together."""
        steps = len(self._norms)
        policy_loss, clipped, value_loss = (sum_over_ranks(self._sums) / steps).tolist()
        return {
            "policy_loss": policy_loss,
            "clip_fraction": clipped,
            "value_loss": value_loss,
            "grad_norm": sum(self._norms) / steps,
        }


def off_policy_metrics(prox: Tensor, batch: Batch, entropies: Tensor, tis_threshold: float) -> dict[str, float]:
    """How far the policies that sampled are from the one that began the update, over sampled tokens.

    ``kl_prox_behaviour`` is k3 of the tokens of mu; weights are those that the loss uses, truncated.
    """
    prox, behaviour, entropies = prox[batch.mask], batch.behaviour[batch.mask], entropies[batch.mask]
    weights = importance_weights(prox, behaviour, tis_threshold)
    return {
        "kl_prox_behaviour": k3(behaviour, prox).mean().item(),
        "entropy": entropies.mean().item(),
        "mean_weight": weights.mean().item(),
        "ess": effective_sample_size(weights).item(),
        "max_abs_dlogp": (prox - behaviour).abs().max().item(),
    }


def reference_metrics(prox: Tensor, reference: Tensor, batch: Batch) -> dict[str, float]:
    """How far the policy has moved from the initial weights: k1, over sampled tokens."""
    return {"kl_reference": k1(prox[batch.mask], reference[batch.mask]).mean().item()}


def require_finite(metrics: dict[str, float]) -> dict[str, float]:
    """``metrics``. Raises ``DivergedError`` naming the one that is not finite."""
    for name, value in metrics.items():
        if not -float("inf") < value < float("inf"):
            raise DivergedError(f"{name} is {value}: the update is dropped, lower the learning rate")
    return metrics
