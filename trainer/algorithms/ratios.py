"""Ratios of probabilities."""

from torch import Tensor

MAX_LOG_RATIO = 20.0


def ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """``exp(numerator - denominator)`` of log-probabilities, the difference held within +-20."""
    return (numerator - denominator).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp()
