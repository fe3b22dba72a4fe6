"""The models of one trainer: loaded from a snapshot, with their optimisers, and saved as state."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clawstream.streams.windows.usable import ModelLimits
from clawstream.trainer.algorithms.recipe import recipe_of
from clawstream.trainer.batches.batch import Batch
from clawstream.trainer.batches.packed import Packed, pack
from clawstream.trainer.models.adapters import adapter_of, add_adapters, merged, read_adapter, write_adapter
from clawstream.trainer.models.engine import Engine
from clawstream.trainer.models.hint_writer import HintWriter
from clawstream.trainer.models.language import Critic, Policy, limits_of, load_language_model, packs
from clawstream.trainer.settings import TrainerSettings


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """Who reads hints."""

    model: Engine | Policy  # the policy as it is, or the initial weights
    writer: HintWriter


@dataclass(frozen=True, kw_only=True)
class Learners:
    """What is trained, and what it is held to."""

    policy: Engine
    critic: Engine | None  # with ppo
    reference: Policy | None  # the initial weights, where a KL or a teacher asks for them
    limits: ModelLimits
    teacher: Teacher | None  # where hints are learnt from, unless what another teacher said is recorded
    adapter_scale: float  # of LoRA's adapters; 0 without them
    adapters_alone: bool  # published as they are; else merged
    packs: bool  # whether passes take packed trees; else rows

    def pack(self, batch: Batch, samples: Tensor) -> Packed:
        """The given samples as the models take them, where they are computed."""
        return pack(batch, samples, self.policy.device, as_rows=not self.packs)

    def trained(self) -> Iterator[Engine]:
        """Every model that has an optimiser."""
        yield self.policy
        if self.critic is not None:
            yield self.critic

    def weights(self) -> dict[str, Tensor]:
        """What is published: the language model's weights with adapters merged, or adapters alone; every rank calls it,
        and rank 0 has them."""
        prefix = "language_model."
        found = {name.removeprefix(prefix): of for name, of in self.policy.weights().items()}
        if self.adapters_alone:
            return adapter_of(found)
        return merged(found, self.adapter_scale) if self.adapter_scale else found

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
    """Models with the weights of snapshot ``weights``, and the reference with those of ``initial``.

    Where adapters are published alone, ``weights`` holds one, and all models are the base.
    """
    adapter = weights if settings.adapter_of else None
    if adapter is not None:
        weights = initial = settings.model
    torch.manual_seed(settings.seed)
    dtype = torch.bfloat16 if settings.dtype == "bfloat16" else torch.float32
    recipe = recipe_of(settings)

    def load(folder: Path, *, trained: bool = True) -> Any:
        return load_language_model(folder, dtype, gradient_checkpointing=trained and settings.gradient_checkpointing)

    language_model = load(weights)
    if settings.lora_rank:
        add_adapters(language_model, settings)
    if adapter is not None:
        read_adapter(adapter, language_model, settings)
    policy = Engine(Policy(language_model), settings.learning_rate, settings)
    critic = teacher = None
    reference: Policy | None = None
    if recipe.needs_critic:
        critic = Engine(Critic(load(weights)), settings.critic_learning_rate, settings)
    if settings.kl_coefficient or (recipe.needs_teacher and settings.hint_teacher == "initial"):
        reference = Policy(load(initial, trained=False)).eval().requires_grad_(False).to(policy.device)
    if recipe.needs_teacher and settings.hint_teacher != "recorded":
        asked = reference if reference is not None and settings.hint_teacher == "initial" else policy
        teacher = Teacher(model=asked, writer=HintWriter(initial))
    return Learners(
        policy=policy,
        critic=critic,
        reference=reference,
        limits=limits_of(language_model),
        teacher=teacher,
        adapter_scale=settings.lora_alpha / settings.lora_rank if settings.lora_rank else 0.0,
        adapters_alone=bool(settings.adapter_of),
        packs=packs(language_model),
    )


def write_first_adapter(settings: TrainerSettings, folder: Path) -> None:
    """Write the adapter that training begins with: it changes nothing yet."""
    torch.manual_seed(settings.seed)
    language_model = load_language_model(settings.model, torch.float32)
    add_adapters(language_model, settings)
    write_adapter(adapter_of(dict(language_model.named_parameters())), settings, folder)
