"""Losses of one update: decoupled PPO with token-level truncated importance sampling.

Three policies: mu sampled the tokens (behaviour), pi_prox began the update, pi is being trained. All tensors are
``[B, T]`` log-probabilities or advantages of tokens, aligned with the token that was sampled; functions give losses
per token, and :func:`token_mean` alone aggregates::

    L = w * PPO-clip(pi / pi_prox, A)        w = min(pi_prox / mu, threshold), no gradient

Invariant: with pi_prox == mu every w is exactly 1 and L is plain PPO, bit for bit.
"""

from typing import NamedTuple

from torch import Tensor, maximum, minimum, where, zeros_like

_MAX_LOG_RATIO = 20.0
_MAX_K3 = 10.0


class PolicyLoss(NamedTuple):
    """Loss of each token, ``[B, T]``, and whether the clip holds its gradient back."""

    loss: Tensor
    clipped: Tensor


def ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """``exp(numerator - denominator)`` of log-probabilities, the difference held within +-20."""
    return (numerator - denominator).clamp(-_MAX_LOG_RATIO, _MAX_LOG_RATIO).exp()


def importance_weights(prox: Tensor, behaviour: Tensor, threshold: float) -> Tensor:
    """Token-level truncated importance weights ``min(pi_prox / mu, threshold)``, without gradient (TIS, as in verl)."""
    return ratio(prox, behaviour).clamp(max=threshold).detach()


def ppo_clip(
    logprobs: Tensor, old: Tensor, advantages: Tensor, *, clip_low: float, clip_high: float, dual_clip: float
) -> PolicyLoss:
    """PPO's clipped objective (Schulman 2017) with clip-higher (DAPO) and the dual clip (Ye 2020, arXiv 1912.09729)."""
    r = ratio(logprobs, old)
    plain = -advantages * r
    bounded = -advantages * r.clamp(1 - clip_low, 1 + clip_high)
    loss = maximum(plain, bounded)
    floor = -dual_clip * advantages
    negative = advantages < 0
    clipped = (bounded > plain) | (negative & (loss > floor))
    return PolicyLoss(where(negative, minimum(loss, floor), loss), clipped)


def decoupled_policy_loss(
    logprobs: Tensor,
    prox: Tensor,
    advantages: Tensor,
    weights: Tensor,
    *,
    clip_low: float,
    clip_high: float,
    dual_clip: float,
) -> PolicyLoss:
    """Decoupled PPO (Hilton 2022; AReaL): clipped around pi_prox, each token weighted by ``weights`` afterwards."""
    loss, clipped = ppo_clip(logprobs, prox, advantages, clip_low=clip_low, clip_high=clip_high, dual_clip=dual_clip)
    return PolicyLoss(weights * loss, clipped)


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip: float) -> Tensor:
    """``0.5 max((V - R)^2, (clip(V, V_old +- clip) - R)^2)`` (PPO's clipped value loss)."""
    near = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * maximum((values - returns).square(), (near - returns).square())


def k1(logprobs: Tensor, reference: Tensor) -> Tensor:
    """Estimate of KL(pi || reference) from tokens of pi: unbiased, may be negative (Schulman, k1)."""
    return logprobs - reference


def k3(logprobs: Tensor, reference: Tensor) -> Tensor:
    """Estimate of KL(pi || reference) from tokens of pi: never negative (Schulman, k3), held below 10."""
    d = (reference - logprobs).clamp(-_MAX_LOG_RATIO, _MAX_LOG_RATIO)
    return (d.exp() - d - 1).clamp(-_MAX_K3, _MAX_K3)


def token_mean(per_token: Tensor, mask: Tensor, token_count: int) -> Tensor:
    """``sum(per_token over mask) / token_count``: the count is the whole minibatch's, over micro-batches and ranks."""
    return where(mask, per_token, zeros_like(per_token)).sum() / token_count


def effective_sample_size(weights: Tensor) -> Tensor:
    """``(sum w)^2 / (n sum w^2)`` of weights ``[N]``: 1 when all are equal."""
    return weights.sum().square() / (weights.numel() * weights.square().sum())
