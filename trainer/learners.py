"""The models of one trainer: loaded from a snapshot, with their optimisers, and saved as state."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from clawstream.trainer.engine import Engine
from clawstream.trainer.models import Critic, Policy, limits_of, load_language_model
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.usable import ModelLimits


@dataclass(frozen=True, kw_only=True)
class Learners:
    """What is trained, and what it is held to."""

    policy: Engine
    critic: Engine | None  # with ppo
    reference: Policy | None  # the initial weights, with a kl_coefficient above 0
    limits: ModelLimits

    def save(self, folder: Path) -> None:
        """Write optimiser states and exact weights; every rank calls it."""
        self.policy.save(folder / "policy")
        if self.critic is not None:
            self.critic.save(folder / "critic")

    def load(self, folder: Path) -> None:
        """Read what :meth:`save` wrote."""
        self.policy.load(folder / "policy")
        if self.critic is not None:
            self.critic.load(folder / "critic")


def load_learners(settings: TrainerSettings, weights: Path, initial: Path) -> Learners:
    """Models with the weights of snapshot ``weights``, and the reference with those of ``initial``."""
    torch.manual_seed(settings.seed)
    dtype = torch.bfloat16 if settings.dtype == "bfloat16" else torch.float32

    def load(folder: Path, *, trained: bool = True) -> Any:
        return load_language_model(folder, dtype, gradient_checkpointing=trained and settings.gradient_checkpointing)

    language_model = load(weights)
    policy = Engine(Policy(language_model), settings.learning_rate, settings)
    critic = reference = None
    if settings.algorithm == "ppo":
        critic = Engine(Critic(load(weights)), settings.critic_learning_rate, settings)
    if settings.kl_coefficient:
        reference = Policy(load(initial, trained=False)).eval().requires_grad_(False).to(policy.device)
    return Learners(policy=policy, critic=critic, reference=reference, limits=limits_of(language_model))
