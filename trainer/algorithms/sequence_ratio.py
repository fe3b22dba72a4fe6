"""GSPO (Zheng 2025): the clip judges a whole sequence by the geometric mean of its tokens' ratios."""

from torch import Tensor

from clawstream.trainer.algorithms.clip import Surrogate, clipped_surrogate
from clawstream.trainer.algorithms.ratios import MAX_LOG_RATIO
from clawstream.trainer.algorithms.rows import row_mean


def gspo(
    logprobs: Tensor,
    old: Tensor,
    advantages: Tensor,
    row: Tensor,
    row_count: int,
    *,
    clip_low: float,
    clip_high: float,
    dual_clip: float | None,
) -> Surrogate:
    """Token form: ``log s_t = sg(mean over its row of log pi / pi_old) + log pi - sg(log pi)``.

    Every token has its row's ratio as value and its own log-probability's gradient; rows must be whole.
    """
    of_rows = row_mean((logprobs - old).detach(), row, row_count)
    s = (of_rows[row] + logprobs - logprobs.detach()).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp()
    return clipped_surrogate(s, advantages, clip_low=clip_low, clip_high=clip_high, dual_clip=dual_clip)
