"""Three nodes of one real cluster on this machine."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from clawstream.streams.broker import LocalBroker, Node
from clawstream.streams.broker.storage import new_cluster_id
from clawstream.streams.process.ports import free_port

NODES = (1, 2, 3)


@contextmanager
def cluster(folder: Path) -> Iterator[dict[int, LocalBroker]]:
    """Nodes by their ids, all of them up. Each is broker and controller; two of them are enough to go on."""
    voters, cluster_id = {node_id: free_port() for node_id in NODES}, new_cluster_id()
    nodes = {
        node_id: LocalBroker(
            port=0, data_dir=formatted(folder, node_id, cluster_id), node=Node(node_id=node_id, voters=voters)
        )
        for node_id in NODES
    }
    with ExitStack() as stack, ThreadPoolExecutor(len(nodes)) as threads:
        for node in nodes.values():
            stack.callback(node.kill)
        for starting in [threads.submit(node.start) for node in nodes.values()]:
            starting.result()
        yield nodes


def formatted(folder: Path, node_id: int, cluster_id: str) -> Path:
    """A data folder as Kafka's storage tool makes it for a fixed set of voters, without the tool's JVM."""
    kafka = folder / str(node_id) / "kafka"
    kafka.mkdir(parents=True)
    meta = {"version": 1, "cluster.id": cluster_id, "node.id": node_id, "directory.id": new_cluster_id()}
    (kafka / "meta.properties").write_text("".join(f"{key}={value}\n" for key, value in meta.items()))
    return kafka.parent
