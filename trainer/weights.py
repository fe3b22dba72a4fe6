"""``clawstream weights``: the versions of one model, and the way back to one of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from clawstream.schemas import NodeStatus, UpdateReport
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import NODES, UPDATES
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.versions.announced import Announced, require_in_service
from clawstream.trainer.versions.checkpoint import Checkpoints
from clawstream.trainer.versions.publish import announce
from clawstream.trainer.versions.retiring import Row
from clawstream.trainer.versions.rollback import has_optimizer, require_earlier, roll_back
from clawstream.trainer.versions.state import TrainerState, read_state, require_origin


@dataclass(frozen=True, kw_only=True)
class VersionLine:
    """One version that is on disk."""

    version: int
    parent: int | None
    created_at: str
    sha256: str  # first 12 digits
    reward: float | None  # of the samples that it was trained on
    validation: float | None  # mean reward of the validation samples that it sampled
    optimizer: bool  # whether training could go on from it exactly
    nodes: tuple[str, ...]  # that serve it

    @property
    def row(self) -> Row:
        """Its cells, under ``VERSIONS_HEADER``."""
        return (
            str(self.version),
            "" if self.parent is None else str(self.parent),
            self.created_at,
            self.sha256,
            "" if self.reward is None else f"{self.reward:.3f}",
            "" if self.validation is None else f"{self.validation:.3f}",
            "yes" if self.optimizer else "no",
            ", ".join(self.nodes),
        )


VERSIONS_HEADER: Row = ("version", "parent", "created", "sha256", "reward", "validation", "optimizer", "served by")


def listed(settings: TrainerSettings, kafka: KafkaSettings) -> list[VersionLine]:
    """Every version on disk, oldest first."""
    checkpoints = Checkpoints(settings.output_dir, settings.keep_snapshots)
    nodes = {status.node: status for status in read_all(kafka, NODES) if status.model == settings.model_name}
    reports = [report for report in read_all(kafka, UPDATES) if report.model == settings.model_name]
    return list(lines(checkpoints, list(nodes.values()), reports))


def lines(
    checkpoints: Checkpoints, nodes: Sequence[NodeStatus], reports: Sequence[UpdateReport]
) -> Iterator[VersionLine]:
    """The same from what was read."""
    rewards = {report.version: report.reward_mean for report in reports}
    validated = {each.version: each.reward_mean for report in reports for each in report.validations}
    for version in checkpoints.versions():
        weights = read_state(checkpoints.path(version)).weights
        yield VersionLine(
            version=version,
            parent=weights.parent,
            created_at=weights.created_at.isoformat(timespec="seconds"),
            sha256=weights.sha256[:12],
            reward=rewards.get(version),
            validation=validated.get(version),
            optimizer=has_optimizer(checkpoints, version),
            nodes=tuple(sorted(n.node for n in nodes if n.version == version and n.health in ("ready", "swapping"))),
        )


def rolled_back(settings: TrainerSettings, kafka: KafkaSettings, to: int) -> TrainerState:
    """Make and announce a version with the weights of version ``to``. Raises ``TrainerError``, so while one trains, or
    when the model is retired."""
    checkpoints = Checkpoints(settings.output_dir, settings.keep_snapshots)
    with checkpoints.owned():
        require_earlier(checkpoints, to)
        _require_announceable(checkpoints, kafka)
        state = roll_back(checkpoints, to)
        producer = Producer(kafka, "trainer")
        try:
            announce(producer, state)
        finally:
            producer.close()
    return state


def _require_announceable(checkpoints: Checkpoints, kafka: KafkaSettings) -> None:
    """Raise ``TrainerError`` when the versions are of another pipeline, or of what is retired."""
    newest = checkpoints.path(checkpoints.versions()[-1])
    state = read_state(newest)
    if state.origin is not None:
        require_origin(state, msgspec.structs.replace(state.origin, topic_prefix=kafka.topic_prefix), newest.parent)
    require_in_service(Announced.read(kafka), state.weights.model)
