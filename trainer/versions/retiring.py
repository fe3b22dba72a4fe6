"""Adapters that are taken from service, and brought back: ``clawstream weights retire`` and ``restore``.

Invariant: what is announced differs from what was announced last in ``retired`` alone, so what comes back is what was
there. It needs no folder of the trainer's, which may be long gone.
"""

from collections.abc import Iterator, Sequence

import msgspec

from clawstream.schemas import NodeStatus, WeightVersion
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import NODES, WEIGHTS
from clawstream.trainer.errors import TrainerError
from clawstream.trainer.versions.announced import Announced

Row = tuple[str, ...]

ADAPTERS_HEADER: Row = ("adapter", "of", "tenant", "version", "state", "served by")


def set_retired(kafka: KafkaSettings, model: str, *, retired: bool) -> WeightVersion:
    """Announce that the adapter ``model`` is retired, or is not any more; what is announced now.

    Raises ``TrainerError`` for a name that no adapter has.
    """
    weights = msgspec.structs.replace(adapter_named(Announced.read(kafka), model), retired=retired)
    producer = Producer(kafka, "trainer")
    try:
        producer.send(WEIGHTS, weights).result()
    finally:
        producer.close()
    return weights


def adapter_named(announced: Announced, model: str) -> WeightVersion:
    """What was announced last of the adapter ``model``. Raises ``TrainerError``."""
    found = announced.last(model)
    if found is None:
        names = ", ".join(each.model for each in announced.adapters()) or "none"
        raise TrainerError(f"no model {model} was announced; there are these adapters: {names}")
    if found.base is None:
        raise TrainerError(f"{model} is a whole model, and no adapter: stop the nodes that serve it instead")
    return found


def adapters_listed(kafka: KafkaSettings) -> list[Row]:
    """A row for each adapter that was ever announced."""
    nodes = {status.node: status for status in read_all(kafka, NODES)}
    return list(rows(Announced.read(kafka), list(nodes.values())))


def rows(announced: Announced, nodes: Sequence[NodeStatus]) -> Iterator[Row]:
    """The same from what was read."""
    for each in announced.adapters():
        serving = sorted(n.node for n in nodes if n.model == each.model and n.health in ("ready", "swapping"))
        state = "retired" if each.retired else "in service"
        yield each.model, each.base or "", each.tenant, str(each.version), state, ", ".join(serving)
