"""Advantages of mean 0 and variance 1."""

from torch import Tensor

_EPSILON = 1e-8


def whiten(advantages: Tensor) -> Tensor:
    """``(A - mean) / sqrt(var + 1e-8)`` over tokens ``[M]``, variance unbiased; one token alone stays as it is."""
    if advantages.numel() < 2:
        return advantages
    return (advantages - advantages.mean()) * (advantages.var() + _EPSILON).rsqrt()
