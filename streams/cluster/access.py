"""What each process must be allowed on a cluster with access control, and nothing more. Pure.

Invariant: who writes a topic follows from the catalogue; nobody but ``administrator``, as whom ``clawstream topics
--add-partitions`` is run, may alter or delete one, so nobody adds partitions by mistake. Kafka takes ``Describe`` as
given with ``Read``, ``Write``, ``Alter`` and ``Delete``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from clawstream.streams.cluster.clients import UNUSED
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import CATALOGUE, FEEDBACK, NODES, SAMPLES, STEPS, TRAJECTORIES, UPDATES, WEIGHTS, Topic

Process = Literal["topics", "administrator", "gateway", "processors", "trainer", "rollout", "console", "lag", "dataset"]
PROCESSES: tuple[Process, ...] = get_args(Process)

_READS: dict[Process, tuple[Topic[Any], ...]] = {
    "gateway": (STEPS, FEEDBACK, NODES, WEIGHTS),
    "processors": (STEPS, FEEDBACK, TRAJECTORIES, WEIGHTS),
    "trainer": (SAMPLES, NODES, WEIGHTS, UPDATES),
    "rollout": (WEIGHTS, NODES),
    "console": CATALOGUE,
    "lag": CATALOGUE,
    "dataset": CATALOGUE,
}
_BURIES: dict[Process, tuple[Topic[Any], ...]] = {
    "processors": (STEPS, FEEDBACK, TRAJECTORIES),
    "trainer": (SAMPLES,),
}
_GROUPS: dict[Process, str] = {"processors": "processors", "trainer": "trainer", "console": "console"}
_CHANGELOGS: dict[Process, tuple[str, ...]] = {  # of the processors' tables, which are made anew for more partitions
    "processors": ("Create", "Read", "Write"),
    "administrator": ("Read", "Delete"),
}


@dataclass(frozen=True, kw_only=True)
class Access:
    """Operations on one thing, or on all whose names begin alike."""

    operations: tuple[str, ...]  # as Kafka names them
    resource: Literal["topic", "group", "cluster"]
    name: str
    prefixed: bool = False


def access(process: Process, settings: KafkaSettings) -> Iterator[Access]:
    """What ``process`` must be allowed."""
    if process in ("topics", "administrator"):
        yield _ours("topic", ("Create", "Describe", "DescribeConfigs"), settings)
        yield Access(operations=("Describe",), resource="cluster", name="kafka-cluster")  # sizes on disk
    if process == "topics":
        return
    yield from _topics(process, settings)
    yield Access(operations=("Describe",), resource="group", name=UNUSED)
    if process in _GROUPS:
        yield Access(operations=("Read",), resource="group", name=settings.name(_GROUPS[process]))
    if process == "trainer":  # those of tenants
        yield Access(operations=("Read",), resource="group", name=settings.name("trainer-"), prefixed=True)
    if process in ("console", "lag", "administrator"):
        yield _ours("group", ("Describe",), settings)


def _topics(process: Process, settings: KafkaSettings) -> Iterator[Access]:
    written = [topic.name for topic in CATALOGUE if topic.writer == process]
    for operation, names in (
        ("Read", [topic.name for topic in _READS.get(process, ())]),
        ("Write", written + [topic.dead for topic in _BURIES.get(process, ())]),
        ("Describe", [topic.dead for topic in CATALOGUE] if process == "console" else []),
        ("Alter", [topic.name for topic in CATALOGUE if topic.scaled] if process == "administrator" else []),
    ):
        for name in names:
            yield Access(operations=(operation,), resource="topic", name=settings.name(name))
    if process in _CHANGELOGS:
        name = f"{settings.name('processors')}-"
        yield Access(operations=_CHANGELOGS[process], resource="topic", name=name, prefixed=True)


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
