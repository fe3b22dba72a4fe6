"""Estimates of KL(pi || other) from tokens of pi (Schulman, "Approximating KL divergence")."""

from collections.abc import Callable

from torch import Tensor

from clawstream.trainer.algorithms.ratios import MAX_LOG_RATIO
from clawstream.trainer.settings import Estimator

_MAX_K3 = 10.0


def k1(logprobs: Tensor, other: Tensor) -> Tensor:
    """``log pi - log other``: unbiased, may be negative."""
    return logprobs - other


def k3(logprobs: Tensor, other: Tensor) -> Tensor:
    """``exp(d) - d - 1`` with ``d = log other - log pi``: never negative, held below 10."""
    d = (other - logprobs).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
    return (d.exp() - d - 1).clamp(-_MAX_K3, _MAX_K3)


ESTIMATORS: dict[Estimator, Callable[[Tensor, Tensor], Tensor]] = {"k1": k1, "k3": k3}
