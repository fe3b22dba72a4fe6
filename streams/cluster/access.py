"""What each process must be allowed on a cluster with access control, and nothing more. Pure.

Invariant: who writes a topic follows from the catalogue; nobody but ``topics`` may alter one, so nobody adds partitions
by mistake. Kafka takes ``Describe`` as given with ``Read`` and with ``Write``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from clawstream.streams.cluster.clients import UNUSED
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import CATALOGUE, FEEDBACK, NODES, SAMPLES, STEPS, TRAJECTORIES, WEIGHTS, Topic

Process = Literal["topics", "gateway", "processors", "trainer", "rollout", "console", "lag", "dataset"]
PROCESSES: tuple[Process, ...] = ("topics", "gateway", "processors", "trainer", "rollout", "console", "lag", "dataset")

_READS: dict[Process, tuple[Topic[Any], ...]] = {
    "gateway": (STEPS, FEEDBACK, NODES, WEIGHTS),
    "processors": (STEPS, FEEDBACK, TRAJECTORIES, WEIGHTS),
    "trainer": (SAMPLES, NODES, WEIGHTS),
    "rollout": (WEIGHTS,),
    "console": CATALOGUE,
    "lag": CATALOGUE,
    "dataset": CATALOGUE,
}
_BURIES: dict[Process, tuple[Topic[Any], ...]] = {
    "processors": (STEPS, FEEDBACK, TRAJECTORIES),
    "trainer": (SAMPLES,),
}
_GROUPS: dict[Process, str] = {"processors": "processors", "trainer": "trainer", "console": "console"}


@dataclass(frozen=True, kw_only=True)
class Access:
    """Operations on one thing, or on all whose names begin alike."""

    operations: tuple[str, ...]  # as Kafka names them
    resource: Literal["topic", "group", "cluster"]
    name: str
    prefixed: bool = False


def access(process: Process, settings: KafkaSettings) -> Iterator[Access]:
    """What ``process`` must be allowed."""
    if process == "topics":
        yield _ours("topic", ("Create", "Describe", "DescribeConfigs"), settings)
        yield Access(operations=("Describe",), resource="cluster", name="kafka-cluster")  # sizes on disk
        return
    yield from _topics(process, settings)
    yield Access(operations=("Describe",), resource="group", name=UNUSED)
    if process in _GROUPS:
        yield Access(operations=("Read",), resource="group", name=settings.name(_GROUPS[process]))
    if process in ("console", "lag"):
        yield _ours("group", ("Describe",), settings)


def _topics(process: Process, settings: KafkaSettings) -> Iterator[Access]:
    written = [topic.name for topic in CATALOGUE if topic.writer == process]
    for operation, names in (
        ("Read", [topic.name for topic in _READS[process]]),
        ("Write", written + [topic.dead for topic in _BURIES.get(process, ())]),
        ("Describe", [topic.dead for topic in CATALOGUE] if process == "console" else []),
    ):
        for name in names:
            yield Access(operations=(operation,), resource="topic", name=settings.name(name))
    if process == "processors":  # its tables' changelogs
        kept = ("Create", "Read", "Write")
        yield Access(operations=kept, resource="topic", name=f"{settings.name('processors')}-", prefixed=True)


def _ours(resource: Literal["topic", "group"], operations: tuple[str, ...], settings: KafkaSettings) -> Access:
    prefix = settings.topic_prefix
    return Access(operations=operations, resource=resource, name=prefix or "*", prefixed=bool(prefix))


def command(each: Access, settings: KafkaSettings, principal: str) -> str:
    """The line that has ``kafka-acls`` allow ``each`` to ``principal``."""
    pattern = " --resource-pattern-type prefixed" if each.prefixed else ""
    operations = " ".join(f"--operation {operation}" for operation in each.operations)
    on = "--cluster" if each.resource == "cluster" else f"--{each.resource} '{each.name}'{pattern}"
    servers = f"--bootstrap-server {settings.bootstrap_servers}"
    return f"kafka-acls {servers} --add --allow-principal User:{principal} {operations} {on}"
