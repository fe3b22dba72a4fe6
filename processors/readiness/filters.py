"""What is ready and yet not worth training: filters of the configuration. Pure.

Invariant: what is left out is rejected with its reason, and the rest of its group is as if it had never been there.
"""

from collections.abc import Mapping

from clawstream.processors.settings import ProcessorsSettings
from clawstream.schemas import Sequence
from clawstream.schemas.reading.sequences import sampled_by


def refused(
    sequences: list[Sequence], reward: float, newest: Mapping[str, int], settings: ProcessorsSettings
) -> tuple[str, str] | None:
    """Why ``sequences`` do not train, as reason and detail; ``newest``: of each model, when that was decided."""
    tokens = sum(span.end - span.start for sequence in sequences for span in sequence.responses)
    if tokens < settings.min_response_tokens:
        return "filtered", f"{tokens} tokens were sampled, fewer than processors.min_response_tokens"
    if settings.max_response_tokens and tokens > settings.max_response_tokens:
        return "filtered", f"{tokens} tokens were sampled, more than processors.max_response_tokens"
    if settings.drop_neutral and reward == 0.0:
        return "filtered", "its reward is 0, and processors.drop_neutral is set"
    return _stale(sequences, newest, settings.max_policy_lag)


def all_equal(rewards: list[float], settings: ProcessorsSettings) -> tuple[str, str] | None:
    """Why a group of ``rewards`` does not train: nothing in it is better than anything else."""
    if not settings.drop_equal_groups or len(rewards) < 2 or max(rewards) > min(rewards):
        return None
    return "filtered", f"all {len(rewards)} members of its group have the reward {rewards[0]:g}"


def _stale(sequences: list[Sequence], newest: Mapping[str, int], max_policy_lag: int) -> tuple[str, str] | None:
    """A version is old beside the newest of the very model that it is of; nothing is known of a model without one."""
    lags = [
        (newest[model] - version, model)
        for sequence in sequences
        for _, model, version in sampled_by(sequence)
        if model in newest
    ]
    lag, model = max(lags, default=(0, ""))
    if max_policy_lag < 0 or lag <= max_policy_lag:
        return None
    detail = f"it is {lag} versions behind version {newest[model]} of {model}"
    return "stale", f"{detail}, processors.max_policy_lag is {max_policy_lag}"
