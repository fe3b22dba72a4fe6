"""Kafka in a container, as the whole session's broker: ``TESTS_KAFKA=docker make test`` where a Docker engine answers.

The same version and the same settings as the broker without Docker. Tests that kill, restart or secure a broker start
one of their own, without Docker, all the same.
"""

from contextlib import ExitStack
from types import TracebackType

from testcontainers.core.container import DockerContainer

from clawstream.streams.broker.config import HOST, KAFKA_VERSION, Node, server_properties
from clawstream.streams.cluster.admin import wait_for_kafka
from clawstream.streams.process.ports import free_port
from clawstream.streams.settings import KafkaSettings

_START_SECONDS = 180.0  # the first time, the image is fetched
_CONTROLLER_PORT = 29093  # inside


class KafkaInDocker:
    """For as long as its ``with`` block."""

    def __init__(self) -> None:
        self.port = free_port()
        self.bootstrap_servers = f"{HOST}:{self.port}"
        self._container = DockerContainer(f"apache/kafka:{KAFKA_VERSION}").with_bind_ports(self.port, self.port)
        for name, value in environment(self.port).items():
            self._container.with_env(name, value)

    def __enter__(self) -> "KafkaInDocker":
        with ExitStack() as starting:
            starting.callback(self._container.stop)  # also when it does not come up
            self._container.start()
            wait_for_kafka(KafkaSettings(bootstrap_servers=self.bootstrap_servers), _START_SECONDS)
            starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.stop()


def environment(port: int) -> dict[str, str]:
    """Kafka's settings as the image takes them: it listens on all of the container's addresses."""
    node = Node(voters={1: _CONTROLLER_PORT})
    text = server_properties(port=port, controller_port=_CONTROLLER_PORT, log_dir="/tmp/kafka-logs", node=node)
    settings = dict(line.split("=", 1) for line in text.splitlines())
    settings["listeners"] = settings["listeners"].replace(HOST, "0.0.0.0")
    return {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()}
