"""What a topic is: its name, its record, its key, its one writer, and how long it is kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from clawstream.schemas import Record

R = TypeVar("R", bound=Record)
Writer = Literal["gateway", "processors", "trainer", "rollout"]

DAY_MS = 24 * 3600 * 1000
FOR_EVER_MS = -1


@dataclass(frozen=True, kw_only=True)
class Topic(Generic[R]):
    """A typed topic. Records with one key lie in one partition, in order."""

    name: str
    record: type[R]
    key: Callable[[R], str]  # the key of a record
    writer: Writer  # the one app that writes it
    retention_ms: int | None  # None: compacted, the newest record of each key is kept for ever
    scaled: bool  # True: as many partitions as configured; False: one, read whole by its followers

    @property
    def dead(self) -> str:
        """Where readers put what they could not read from this topic."""
        return f"{self.name}.dead"

    def config(self) -> dict[str, str]:
        """Topic settings as Kafka names them."""
        if self.retention_ms is None:
            return {"cleanup.policy": "compact"}
        return {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms)}
