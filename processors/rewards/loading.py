"""Reward processors from files, modules and installed packages.

Invariant: two of one name are an error before anything runs, because a name is the source of rewards.
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from clawstream.processors.rewards.decorated import RewardError, scorer_of
from clawstream.processors.rewards.scorer import Scorer

ENTRY_POINT = "clawstream.rewards"


def included(names: Iterable[str]) -> list[Scorer]:
    """The reward processors of files (``my_rewards.py``) and modules (``my.rewards``). Raises ``RewardError``."""
    found = []
    for name in names:
        scorers = scorers_in(_module(name))
        if not scorers:
            raise RewardError(f"{name} holds no reward processor; decorate a function with @reward")
        found += scorers
    return found


def installed() -> list[Scorer]:
    """Those of installed packages, by the entry point ``clawstream.rewards``. Raises ``RewardError``."""
    found = []
    for entry in entry_points(group=ENTRY_POINT):
        thing = entry.load()
        scorers = scorers_in(thing) if isinstance(thing, ModuleType) else [scorer_of(thing)]
        for scorer in scorers:
            if scorer is None:
                raise RewardError(f"entry point {entry.name} = {entry.value} is no reward processor")
            found.append(scorer)
    return found


def distinct(scorers: Iterable[Scorer]) -> tuple[Scorer, ...]:
    """``scorers``, each once. Raises ``RewardError`` when two have one name."""
    by_name: dict[str, Scorer] = {}
    for scorer in scorers:
        if by_name.setdefault(scorer.name, scorer) is not scorer:
            raise RewardError(f"two reward processors are named {scorer.name}; give one another name")
    return tuple(by_name.values())


def scorers_in(module: ModuleType) -> list[Scorer]:
    """The reward processors that ``module`` holds, in the order in which they are written."""
    return [scorer for thing in vars(module).values() if (scorer := scorer_of(thing)) is not None]


def _module(name: str) -> ModuleType:
    path = Path(name)
    try:
        if path.suffix != ".py":
            return importlib.import_module(name)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None or not path.exists():
            raise RewardError(f"{name} does not exist")
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        return module
    except RewardError:
        raise
    except Exception as error:  # whatever a user's file raises, it is the file that must be mended
        raise RewardError(f"{name} cannot be loaded: {type(error).__name__}: {error}") from error
