"""What ``weights`` says of every model, and whether a trainer may go on beside it.

Invariant: a retirement holds until the very version that was retired is announced again, so one that a trainer
announced before it heard is retired too::

    policy-acme   7 -> 7 retired -> 8           retired: 8 crossed it on the way
    policy-acme   7 -> 7 retired -> 7 -> 8      restored
"""

import msgspec

from clawstream.schemas import WeightVersion
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import WEIGHTS
from clawstream.trainer.errors import RetiredError, TrainerError
from clawstream.trainer.settings import TrainerSettings


class Announced:
    """The last announcement of each model."""

    def __init__(self) -> None:
        self._last: dict[str, WeightVersion] = {}

    @classmethod
    def read(cls, kafka: KafkaSettings) -> "Announced":
        """As it is now."""
        found = cls()
        for weights in read_all(kafka, WEIGHTS):
            found.note(weights)
        return found

    def note(self, weights: WeightVersion) -> None:
        """Take in the next record of ``weights``."""
        before = self._last.get(weights.model)
        if before is not None and before.retired and weights.version != before.version:
            weights = msgspec.structs.replace(weights, retired=True)
        self._last[weights.model] = weights

    def last(self, model: str) -> WeightVersion | None:
        """What was announced last of ``model``, if anything was."""
        return self._last.get(model)

    def adapters(self) -> list[WeightVersion]:
        """Of every adapter, those that are retired too, by their names."""
        return [self._last[model] for model in sorted(self._last) if self._last[model].base is not None]


def require_in_service(announced: Announced, model: str) -> None:
    """Raise ``RetiredError`` when ``model`` is retired: what its trainer announced, nodes would load again."""
    last = announced.last(model)
    if last is not None and last.retired:
        raise RetiredError(
            f"{model} was retired at version {last.version}: nobody serves it, so nothing trains it; "
            f"clawstream weights restore {model} brings it back"
        )


def require_apart(announced: Announced, settings: TrainerSettings) -> None:
    """Raise ``TrainerError`` when this trainer would train samples that adapters of others have sampled.

    What adapters sampled does not train here, and would be in the statistics of groups that do.
    """
    if settings.tenant:
        return
    others = [each for each in announced.adapters() if not each.retired and each.model != settings.model_name]
    mixed = [each for each in others if each.tenant not in settings.left_out]
    if mixed:
        named = ", ".join(f"{each.model} of {each.tenant or 'no tenant'}" for each in mixed)
        raise TrainerError(
            f"trainer.tenant is empty, so {settings.model_name} would train what these adapters sampled, too: {named}; "
            "name their tenants in trainer.tenants_left_out, or set trainer.tenant, or retire adapters that are not "
            "used any more (clawstream weights retire)"
        )
