"""The configuration of a Kafka node that is broker and controller, as text.

Invariant: paths are relative to the data folder, which is the JVM's working folder. So a data folder may be moved, and
no path needs the escapes of Java's property files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

KAFKA_VERSION = "4.3.1"
HOST = "127.0.0.1"
MAX_MESSAGE_BYTES = 16 * 1024 * 1024

JVM_OPTIONS = (
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # starts in half the time; one node never needs the last tenth of throughput
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:ErrorFile=logs/jvm-crash.log",
    "-Djava.awt.headless=true",
)


@dataclass(frozen=True, kw_only=True)
class Node:
    """What a node is beside its port and its data: by default one alone."""

    node_id: int = 1
    # controller port of each node by its id, where there are several, whose data folders are then formatted beforehand
    voters: Mapping[int, int] = field(default_factory=dict)
    listeners: Mapping[str, int] = field(default_factory=dict)  # ports of more listeners, by security protocol
    properties: Mapping[str, str] = field(default_factory=dict)  # Kafka's own settings, over those that are made here


ALONE = Node()


def server_properties(*, port: int, controller_port: int, log_dir: str = "kafka", node: Node = ALONE) -> str:
    """The text of ``server.properties``; ``log_dir`` is relative to the JVM's working folder."""
    return "".join(f"{key}={value}\n" for key, value in _properties(port, controller_port, log_dir, node).items())


def _properties(port: int, controller_port: int, log_dir: str, node: Node) -> dict[str, str | int]:
    clients = {"PLAINTEXT": port, **node.listeners}
    addresses = [f"{protocol}://{HOST}:{each}" for protocol, each in clients.items()]
    own: dict[str, str | int] = {
        "process.roles": "broker,controller",
        "node.id": node.node_id,
        "listeners": ",".join([*addresses, f"CONTROLLER://{HOST}:{controller_port}"]),
        "advertised.listeners": ",".join(addresses),
        "listener.security.protocol.map": ",".join(["CONTROLLER:PLAINTEXT", *(f"{each}:{each}" for each in clients)]),
        "controller.listener.names": "CONTROLLER",
        "log.dirs": log_dir,
        # a topic with a misspelt name is an error, not a new topic
        "auto.create.topics.enable": "false",
        "message.max.bytes": MAX_MESSAGE_BYTES,
        "replica.fetch.max.bytes": MAX_MESSAGE_BYTES,
    }
    return own | _quorum(controller_port, node) | _replicas(max(1, len(node.voters))) | _SMALL | dict(node.properties)


def _quorum(controller_port: int, node: Node) -> dict[str, str | int]:
    if not node.voters:
        return {"controller.quorum.bootstrap.servers": f"{HOST}:{controller_port}"}
    voters = ",".join(f"{node_id}@{HOST}:{port}" for node_id, port in node.voters.items())
    return {"controller.quorum.voters": voters}


def _replicas(nodes: int) -> dict[str, str | int]:
    """Each record on every node up to three, acknowledged by all but one of those."""
    replicas = min(nodes, 3)
    in_sync = max(1, replicas - 1)
    return {
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
    }


_SMALL: dict[str, str | int] = {
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.num.partitions": 1,
    "group.initial.rebalance.delay.ms": 0,
    # after kill -9 a start waits until the dead registration expires: 12 s by default
    "broker.session.timeout.ms": 2000,
    "broker.heartbeat.interval.ms": 500,
    # the default of 128 MB breaks small heaps
    "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    "num.network.threads": 2,
    "num.io.threads": 4,
}
