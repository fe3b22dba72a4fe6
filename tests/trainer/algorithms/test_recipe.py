"""Every algorithm states what it is made of."""

from pathlib import Path
from typing import get_args

from clawstream.trainer.algorithms.recipe import RECIPES, described, recipe_of
from clawstream.trainer.settings import Algorithm, TrainerSettings


def test_every_algorithm_has_a_recipe_and_a_description() -> None:
    assert set(RECIPES) == set(get_args(Algorithm))
    for algorithm, recipe in RECIPES.items():
        line = described(TrainerSettings(model=Path("m"), algorithm=algorithm))
        assert line.startswith(f"{algorithm}: advantage {recipe.advantage}")
        assert f"aggregation {recipe.aggregation}" in line


def test_settings_win_over_the_recipe() -> None:
    settings = TrainerSettings(model=Path("m"), algorithm="gspo", clip_high=0.1, aggregation="token-mean")
    recipe = recipe_of(settings)
    assert (recipe.clip_low, recipe.clip_high, recipe.aggregation) == (3e-4, 0.1, "token-mean")
    assert "KL" not in described(settings)
    assert "k3 in the loss" in described(settings.model_copy(update={"kl_coefficient": 0.1}))
