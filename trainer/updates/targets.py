"""What an update is trained towards: the advantages of its sampled tokens, by the configured algorithm.

Invariant: advantages are computed once, from the weights before the update, over the whole window.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from clawstream.schemas import GroupStatistics, Sample
from clawstream.trainer.algorithms.divergence import k1
from clawstream.trainer.algorithms.gae import gae, gae_of_steps
from clawstream.trainer.algorithms.groups import centred, leave_one_out, normalised
from clawstream.trainer.algorithms.hints import token_advantages
from clawstream.trainer.algorithms.overlong import overlong_penalty
from clawstream.trainer.algorithms.recipe import Advantage, recipe_of
from clawstream.trainer.algorithms.reinforce import returns_to_go
from clawstream.trainer.algorithms.rewards import evaluated_steps, step_rewards
from clawstream.trainer.algorithms.rows import lasts
from clawstream.trainer.algorithms.whitening import whiten
from clawstream.trainer.batches.batch import Batch, Targets
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.updates.look import Before

_OF_GROUP: dict[Advantage, Callable[[float, GroupStatistics], float]] = {
    "group-normalised": normalised,
    "group-centred": centred,
    "whitened-group-centred": centred,
    "leave-one-out": leave_one_out,
}


def make_targets(
    samples: Sequence[Sample], batch: Batch, before: Before, version: int, settings: TrainerSettings
) -> Targets:
    """The targets of every sampled token of a window that is trained at ``version``."""
    kind = recipe_of(settings).advantage
    young = version - batch.tokens.versions <= settings.max_policy_lag
    counted, returns = young, torch.zeros_like(before.values)
    if kind == "gae":
        advantages, returns = _gae(samples, batch, before, settings)
    elif kind == "whitened-returns":
        rewards = _token_rewards(samples, batch, before, settings)
        advantages = whiten(returns_to_go(rewards, batch.tokens.row, batch.row_count, gamma=settings.gamma))
    elif kind in _OF_GROUP:
        of_samples = [_OF_GROUP[kind](_shaped(sample, settings), sample.group) for sample in samples]
        advantages = torch.tensor(of_samples)[batch.tokens.sample]
        if kind == "whitened-group-centred":
            advantages = whiten(advantages)
    else:
        advantages, spoken_of = _of_next_states(kind, samples, batch, before, settings)
        counted = counted & spoken_of
    return Targets(
        prox=before.prox,
        reference=before.reference,
        advantages=advantages,
        values=before.values,
        returns=returns,
        hinted=before.hinted,
        teacher_top=before.teacher_top,
        teacher_ids=before.teacher_ids,
        counted=counted,
    )


def _shaped(sample: Sample, settings: TrainerSettings) -> float:
    """The reward, with DAPO's length penalty where it is asked for."""
    if settings.algorithm != "dapo" or not settings.overlong_tokens:
        return sample.reward
    sampled = sum(span.end - span.start for sequence in sample.sequences for span in sequence.responses)
    return sample.reward + overlong_penalty(sampled, settings.overlong_tokens, settings.overlong_buffer)


def _token_rewards(samples: Sequence[Sample], batch: Batch, before: Before, settings: TrainerSettings) -> Tensor:
    """The outcome at the last sampled token of each sequence, as all led to it; steps' own at their last token."""
    tokens = batch.tokens
    outcomes = torch.tensor([sample.reward for sample in samples])
    rewards = outcomes[tokens.sample] * lasts(tokens.row)
    if settings.step_reward_weight:
        own = _of_steps(step_rewards, samples, batch)
        rewards = rewards + settings.step_reward_weight * own * lasts(tokens.step)
    if settings.kl_in_reward:
        rewards = rewards - settings.kl_coefficient * k1(before.prox, before.reference)
    return rewards


def _gae(samples: Sequence[Sample], batch: Batch, before: Before, settings: TrainerSettings) -> tuple[Tensor, Tensor]:
    rewards, tokens = _token_rewards(samples, batch, before, settings), batch.tokens
    discounts = {"gamma": settings.gamma, "lam": settings.gae_lambda}
    if settings.gae_unit == "step":
        found = gae_of_steps(rewards, before.values, tokens.step, tokens.row, batch.row_count, **discounts)
    else:
        found = gae(rewards, before.values, tokens.row, batch.row_count, **discounts)
    advantages, returns = found
    return whiten(advantages), returns


def _of_next_states(
    kind: Advantage, samples: Sequence[Sample], batch: Batch, before: Before, settings: TrainerSettings
) -> tuple[Tensor, Tensor]:
    """OpenClaw-RL: the step's own reward, the hint's teacher, or both; and of which tokens anything was said."""
    rewards = _of_steps(evaluated_steps, samples, batch)
    if kind == "step-reward":
        return rewards, rewards != 0
    of_hints = torch.zeros_like(rewards)
    if not settings.hint_top_k:  # else the divergence is minimised itself
        more = token_advantages(before.teacher, before.prox, settings.hint_clip)
        of_hints = torch.where(before.hinted, more, of_hints)
    if kind == "hint":
        return of_hints, before.hinted
    return settings.hint_weight * of_hints + settings.reward_weight * rewards, before.hinted | (rewards != 0)


def _of_steps(rewards: Callable[[Sample], dict[str, float]], samples: Sequence[Sample], batch: Batch) -> Tensor:
    """What ``rewards`` gives of each token's step, ``[M]``; 0 where it gives none."""
    by_step = [rewards(sample) for sample in samples]
    steps = zip(batch.sample_of_step, batch.step_ids, strict=True)
    return torch.tensor([by_step[number].get(step_id, 0.0) for number, step_id in steps])[batch.tokens.step]
