"""The base: a tiny model that can talk in every style, and keeps to none."""

from pathlib import Path

from clawstream.demo.model import ModelSettings, make_model
from clawstream.demo.warmup import WarmupSettings
from examples.personal.lessons import Habits, personal_lessons


def make_base(folder: Path, *, seed: int, steps: int = 160, progress: bool = True) -> Path:
    """Make the base of ``seed`` in ``folder``, or find it there; half a minute. ``steps``: of its warm-up."""
    made = make_model(
        folder,
        seed=seed,
        settings=ModelSettings(layers=2),
        warmup=WarmupSettings(steps=steps),
        lessons=personal_lessons(Habits()),
        progress=progress,
    )
    return made.directory
