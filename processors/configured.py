"""The reward processors of a worker: those in the settings, of included files, and of installed packages."""

from clawstream.processors.rewards.building import build
from clawstream.processors.rewards.decorated import RewardError
from clawstream.processors.rewards.loading import distinct, included, installed
from clawstream.processors.rewards.scorer import Scorer
from clawstream.processors.settings import ProcessorsSettings, named
from clawstream.streams.settings import SettingsError


def configured(settings: ProcessorsSettings) -> tuple[Scorer, ...]:
    """All of them. Raises ``SettingsError`` when one cannot be used."""
    try:
        built = [build(entry) for entry in settings.rewards]
        return distinct([*built, *included(named(settings.include)), *installed()])
    except RewardError as error:
        raise SettingsError(f"[processors] {error}") from error
