"""The next batch, as it would be if nothing changed: the trainer's own code, over what lies ahead of its offsets.

Invariant: nothing is consumed, and the fingerprint is that of the batch then trained, if no sample comes between and
the trainer's settings are those read here. Of several partitions the trainer may take another share than this one,
while more is waiting than a window holds.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict, Field

from clawstream.schemas import Discard, Sample
from clawstream.streams.lag.groups import LagReader
from clawstream.streams.reading.consumer import Received, read_all
from clawstream.streams.reading.history import History
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.windows.fingerprint import fingerprint
from clawstream.streams.windows.seen import SeenSamples
from clawstream.streams.windows.settings import WindowSettings
from clawstream.streams.windows.usable import ModelLimits, unusable
from clawstream.streams.windows.window import WindowAssembler
from clawstream.topics import SAMPLES, WEIGHTS

_POLL_SECONDS = 0.5
_ANY = ModelLimits(max_positions=2**31, vocabulary_size=2**31)


class Windows(WindowSettings):
    """The trainer's section, as far as it matters here."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    model: Path | None = Field(default=None, description="as the trainer has it")


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What the trainer would do next."""

    version: int  # that it is at
    samples: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    discarded: tuple[Discard, ...]
    is_due: bool  # it is full; else it waits, for samples or for the time

    @property
    def fingerprint(self) -> str:
        """Of what would be trained."""
        return fingerprint(sample.sample_id for sample in self.samples)


Trained = Callable[[Sequence[str]], Sequence[str]]  # of these sample ids, those that an update had already


def preview(kafka: KafkaSettings, windows: Windows, trained: Trained) -> Preview:
    """The next window. Raises ``KafkaUnreachableError``."""
    announced = [each.version for each in read_all(kafka, WEIGHTS) if each.model == windows.model_name]
    version, limits = (announced[-1] if announced else 0), limits_of(windows.model)
    begun = LagReader(kafka).committed(windows.group, [SAMPLES])[SAMPLES.name]
    ahead = _ahead(kafka, {(SAMPLES.name, partition): offset for partition, offset in begun.items()}, windows)
    seen = SeenSamples(windows.seen_samples)
    for sample_id in trained([each.record.sample_id for each in ahead]):
        seen.add(sample_id)
    assembler = WindowAssembler(windows.limits, lambda sample, at: unusable(sample, limits, at), seen, {})
    for each in ahead:
        if assembler.due(0.0):
            break
        assembler.add(each, version, 0.0)
    is_due, window = assembler.due(0.0), assembler.close()
    return Preview(
        version=version,
        samples=window.samples,
        validation=window.validation,
        discarded=window.discarded,
        is_due=is_due,
    )


def limits_of(model: Path | None) -> ModelLimits:
    """What the model can take in, where its folder is at hand; else anything."""
    if model is None or not (file := model / "config.json").is_file():
        return _ANY
    config = json.loads(file.read_text())
    text = config.get("text_config", config)
    return ModelLimits(
        max_positions=int(text.get("max_position_embeddings", _ANY.max_positions)),
        vocabulary_size=int(text.get("vocab_size", _ANY.vocabulary_size)),
    )


def _ahead(kafka: KafkaSettings, starts: dict[tuple[str, int], int], windows: Windows) -> list[Received[Sample]]:
    """What the trainer has not taken yet, as far as one window can reach."""
    history, found = History(kafka, [SAMPLES], starts, "console-preview"), list[Received[Sample]]()
    most = math.ceil(windows.window_samples * 4) + 1000  # some are discarded or validate
    try:
        while not history.caught_up and len(found) < most:
            for told in history.poll(500, _POLL_SECONDS):
                if isinstance(told.record, Sample):
                    place = {"partition": told.partition, "offset": told.offset, "timestamp_ms": told.timestamp_ms}
                    found.append(Received(record=told.record, **place))
    finally:
        history.close()
    return found
