"""What a checkpoint says besides weights and optimiser state.

Invariant: offsets and seen ids are those of the very samples that made the weights they lie beside, so whoever goes on
from here trains each sample once. The announcements of its version lie here too: a restart repeats them.
"""

from pathlib import Path

import msgspec

from clawstream.schemas import UpdateReport, WeightVersion
from clawstream.trainer.errors import TrainerError

STATE_FILE = "trainer.json"
SEEN_FILE = "seen.bin"


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Which trainer's a checkpoint is: its offsets and versions mean something there alone."""

    topic_prefix: str  # of the pipeline; empty: none
    tenant: str  # whose samples train; empty: everybody's
    model: str

    def __str__(self) -> str:
        whose = f"tenant {self.tenant}" if self.tenant else "every tenant"
        return f"model {self.model} from samples of {whose} in {self.topic_prefix}samples"


class TrainerState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a trainer stands."""

    weights: WeightVersion
    report: UpdateReport | None  # of the update that made them; null for version 0
    next_offsets: dict[int, int]  # next offset of the samples topic, by partition
    origin: Origin | None = None  # None: a checkpoint of before it was noted
    seen: bytes = b""  # packed ids of consumed samples; in a file of their own

    @property
    def version(self) -> int:
        """The policy version."""
        return self.weights.version


def write_state(folder: Path, state: TrainerState) -> None:
    """Write ``state`` into ``folder``."""
    (folder / SEEN_FILE).write_bytes(state.seen)
    plain = msgspec.structs.replace(state, seen=b"")
    (folder / STATE_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(plain), indent=1))


def read_state(folder: Path) -> TrainerState:
    """What :func:`write_state` wrote. Raises ``TrainerError``."""
    try:
        plain = msgspec.json.decode((folder / STATE_FILE).read_bytes(), type=TrainerState)
        return msgspec.structs.replace(plain, seen=(folder / SEEN_FILE).read_bytes())
    except (OSError, msgspec.MsgspecError) as error:
        raise TrainerError(f"{folder} cannot be read as a checkpoint: {error}") from error


def require_origin(state: TrainerState, origin: Origin, folder: Path) -> None:
    """Raise ``TrainerError`` when ``state``, which lies in ``folder``, is another trainer's than that of ``origin``."""
    found = state.origin or msgspec.structs.replace(origin, model=state.weights.model)
    if found != origin:
        raise TrainerError(
            f"{folder} holds checkpoints of {found}; this trainer would train {origin}: "
            "give each trainer an output_dir of its own"
        )
