"""The configuration of one Kafka node that is broker and controller, as text.

Invariant: paths are relative to the data folder, which is the JVM's working folder. So a data folder may be moved, and
no path needs the escapes of Java's property files.
"""

KAFKA_VERSION = "4.3.1"
NODE_ID = 1
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


def server_properties(*, port: int, controller_port: int, log_dir: str = "kafka") -> str:
    """The text of ``server.properties``; ``log_dir`` is relative to the JVM's working folder."""
    return "".join(f"{key}={value}\n" for key, value in _properties(port, controller_port, log_dir).items())


def _properties(port: int, controller_port: int, log_dir: str) -> dict[str, str | int]:
    own: dict[str, str | int] = {
        "process.roles": "broker,controller",
        "node.id": NODE_ID,
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.bootstrap.servers": f"{HOST}:{controller_port}",
        "log.dirs": log_dir,
        # a topic with a misspelt name is an error, not a new topic
        "auto.create.topics.enable": "false",
        "message.max.bytes": MAX_MESSAGE_BYTES,
        "replica.fetch.max.bytes": MAX_MESSAGE_BYTES,
    }
    return own | _ONE_NODE


_ONE_NODE: dict[str, str | int] = {
    "default.replication.factor": 1,
    "min.insync.replicas": 1,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
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
