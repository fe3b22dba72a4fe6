"""PPO's clipped value loss."""

from torch import Tensor, maximum


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip: float) -> Tensor:
    """``0.5 max((V - R)^2, (clip(V, V_old +- clip) - R)^2)`` of each token."""
    near = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * maximum((values - returns).square(), (near - returns).square())
