"""What each algorithm is made of: an advantage, a surrogate, an aggregation and its clips, all of them stated.

Invariant: nothing is implied; settings that are given win over the recipe, and :func:`described` says what was chosen.
Sources of the numbers: the papers, and verl, SkyRL and NeMo-RL where a paper gives none.
"""

from dataclasses import dataclass, replace
from typing import Literal

from clawstream.trainer.settings import Aggregation, Algorithm, TrainerSettings

Advantage = Literal[
    "gae",
    "group-normalised",
    "group-centred",
    "leave-one-out",
    "whitened-returns",
    "whitened-group-centred",
    "step-reward",
    "hint",
    "hint-and-step-reward",
]
SurrogateName = Literal["clip", "sequence-clip", "cispo"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One algorithm."""

    advantage: Advantage
    surrogate: SurrogateName = "clip"
    aggregation: Aggregation = "token-mean"
    clip_low: float = 0.2
    clip_high: float = 0.2

    @property
    def needs_critic(self) -> bool:
        """Whether values are learned besides."""
        return self.advantage == "gae"

    @property
    def needs_teacher(self) -> bool:
        """Whether hints are read."""
        return self.advantage in ("hint", "hint-and-step-reward")


RECIPES: dict[Algorithm, Recipe] = {
    "ppo": Recipe(advantage="gae", clip_high=0.28),
    "grpo": Recipe(advantage="group-normalised", clip_high=0.28),
    "dr-grpo": Recipe(advantage="group-centred", aggregation="seq-mean-token-sum-norm"),
    "rloo": Recipe(advantage="leave-one-out"),
    "reinforce++": Recipe(advantage="whitened-returns"),
    "reinforce++-baseline": Recipe(advantage="whitened-group-centred"),
    "dapo": Recipe(advantage="group-normalised", clip_high=0.28),
    "gspo": Recipe(
        advantage="group-normalised",
        surrogate="sequence-clip",
        aggregation="seq-mean-token-mean",
        clip_low=3e-4,
        clip_high=4e-4,
    ),
    "cispo": Recipe(advantage="group-normalised", surrogate="cispo", clip_low=1.0, clip_high=4.0),
    "binary": Recipe(advantage="step-reward", aggregation="step-mean-token-mean", clip_high=0.28),
    "distill": Recipe(advantage="hint", aggregation="step-mean-token-mean"),
    "combined": Recipe(advantage="hint-and-step-reward", aggregation="step-mean-token-mean", clip_high=0.28),
}


def recipe_of(settings: TrainerSettings) -> Recipe:
    """The recipe of the configured algorithm, with what settings give instead."""
    given = {name: getattr(settings, name) for name in ("aggregation", "clip_low", "clip_high")}
    return replace(RECIPES[settings.algorithm], **{name: value for name, value in given.items() if value is not None})


def described(settings: TrainerSettings) -> str:
    """The objective in one line, for the log and for reports."""
    recipe = recipe_of(settings)
    parts = [
        f"{settings.algorithm}: advantage {recipe.advantage}",
        f"surrogate {recipe.surrogate} -{recipe.clip_low:g}/+{recipe.clip_high:g}",
        f"aggregation {recipe.aggregation}",
        f"correction {settings.correction}",
    ]
    if settings.sequence_mask != "none":
        parts.append(f"{settings.sequence_mask} mask {settings.mask_low:g} to {settings.mask_high:g}")
    if settings.kl_coefficient:
        place = "k1 in the reward" if settings.kl_in_reward else f"{settings.kl_estimator} in the loss"
        parts.append(f"KL {settings.kl_coefficient:g} as {place}")
    return ", ".join(parts)
