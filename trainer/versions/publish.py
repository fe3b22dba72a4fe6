"""Announcements: the trainer is the one writer of ``weights`` and ``updates``.

Invariant: a version is announced only after its checkpoint is on disk, and before the next one is begun, so readers see
contiguous versions. A restart announces the newest version again: the same ids, so repeats are harmless.
"""

import msgspec

from clawstream.schemas import WeightVersion
from clawstream.streams.writing.producer import Producer
from clawstream.topics import UPDATES, WEIGHTS
from clawstream.trainer.errors import TrainerError
from clawstream.trainer.versions.state import TrainerState


def announce(producer: Producer, state: TrainerState, transfer: str | None = None) -> None:
    """Send the weights of ``state``, then the report of the update that made them; return once Kafka has both.

    ``transfer``: where nodes can ask for these weights.
    """
    producer.send(WEIGHTS, msgspec.structs.replace(state.weights, transfer=transfer)).result()
    if state.report is not None:
        producer.send(UPDATES, state.report).result()


def announce_retired(producer: Producer, weights: WeightVersion) -> None:
    """Send that ``weights``, the last ones of an adapter, are retired; return once Kafka has it."""
    producer.send(WEIGHTS, msgspec.structs.replace(weights, retired=True)).result()


def require_lineage(announced: int | None, newest: int | None, model: str, folder: str) -> None:
    """Raise ``TrainerError`` when versions were announced that the checkpoints know nothing of.

    ``newest`` is the newest version on disk. Going on would announce other weights under versions that nodes serve and
    samples name.
    """
    if announced is not None and announced > (newest or 0):
        found = f"version {newest}" if newest is not None else "no checkpoint"
        raise TrainerError(
            f"version {announced} of {model} was announced, but {folder} holds {found}: give the output_dir of the "
            f"trainer that announced it, or another model_name or kafka.topic_prefix to begin anew"
        )
