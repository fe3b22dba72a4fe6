"""A broker's data folder: what is in it, and whether a broker may use it.

Layout, all of it relative, so that the folder may be moved::

    broker.lock          held by the broker that runs here, and by its JVM; says which
    server.properties    written at every start
    kafka/               Kafka's own: meta.properties, the metadata log, a folder per partition
    logs/broker.log      Kafka's log; jvm.out is what the JVM itself prints
    tmp/                 the JVM's temporary files: native libraries, which one that is killed leaves behind

Invariant: ``kafka/`` is there only once it is formatted whole: it is formatted as ``kafka.new/`` and renamed.
"""

import base64
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clawstream.streams.broker.config import Node, server_properties
from clawstream.streams.broker.errors import BrokerError
from clawstream.streams.broker.log import last_error
from clawstream.streams.process.ports import free_port

_OURS = {"broker.lock", "server.properties", "kafka", "kafka.new", "logs", "tmp"}
_FORMAT_TIMEOUT_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class DataFolder:
    """The parts of the data folder at ``path``, which is absolute."""

    path: Path

    @property
    def kafka(self) -> Path:
        """Kafka's own folder."""
        return self.path / "kafka"

    @property
    def lock(self) -> Path:
        """The file that the running broker locks."""
        return self.path / "broker.lock"

    @property
    def properties(self) -> Path:
        """Kafka's configuration."""
        return self.path / "server.properties"

    @property
    def log(self) -> Path:
        """Kafka's log."""
        return self.path / "logs" / "broker.log"

    @property
    def output(self) -> Path:
        """What the JVM prints."""
        return self.path / "logs" / "jvm.out"

    def create(self) -> None:
        """Make the folder where it is missing. Raises ``BrokerError`` where it cannot be a broker's."""
        if self.path.exists() and not self.path.is_dir():
            raise BrokerError(f"data folder {self.path} is a file")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            strangers = sorted({entry.name for entry in self.path.iterdir()} - _OURS)
            if strangers and not self.kafka.exists():
                raise BrokerError(
                    f"data folder {self.path} holds no broker's data but other files ({', '.join(strangers[:3])}); "
                    "choose an empty one with --data-dir"
                )
            self.log.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise BrokerError(f"data folder {self.path} cannot be written: {error.strerror}") from error

    def clear_temporary(self) -> None:
        """An empty folder for the JVM's temporary files. Only while the lock is held."""
        temporary = self.path / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()

    def format(self, java_command: Sequence[str], node: Node) -> str:
        """Format Kafka's folder where it is missing; the cluster id. Raises ``BrokerError`` where it is broken."""
        if not self.kafka.exists():
            self._format(java_command, node)
        return cluster_id(self.kafka, node.node_id)

    def _format(self, java_command: Sequence[str], node: Node) -> None:
        fresh = self.path / "kafka.new"
        shutil.rmtree(fresh, ignore_errors=True)
        # the ports count for the folder's name only: each start writes its own
        text = server_properties(port=free_port(), controller_port=free_port(), log_dir=fresh.name, node=node)
        self.properties.write_text(text)
        tool = ["kafka.tools.StorageTool", "format", "--standalone", "-t", new_cluster_id(), "-c", self.properties.name]
        finished = subprocess.run(
            [*java_command, *tool],
            cwd=self.path,
            capture_output=True,
            text=True,
            timeout=_FORMAT_TIMEOUT_SECONDS,
            check=False,
        )
        if finished.returncode != 0:
            why = last_error(finished.stdout + finished.stderr)
            raise BrokerError(f"data folder {self.path} cannot be formatted for Kafka: {why}")
        fresh.rename(self.kafka)


def cluster_id(kafka: Path, node_id: int) -> str:
    """The cluster that Kafka's folder ``kafka`` belongs to, from its ``meta.properties``.

    Raises ``BrokerError`` when the file is missing or unreadable, or names another node than ``node_id``.
    """
    meta = kafka / "meta.properties"
    try:
        lines = meta.read_text("latin-1").splitlines()
    except OSError as error:
        raise _broken(kafka, f"{meta.name} cannot be read ({error.strerror})") from error
    values = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    if values.get("version") != "1" or not values.get("cluster.id") or not values.get("directory.id"):
        raise _broken(kafka, f"{meta.name} is not what Kafka wrote")
    if values.get("node.id") != str(node_id):
        raise _broken(kafka, f"it belongs to node {values.get('node.id')} of cluster {values['cluster.id']}")
    return values["cluster.id"]


def new_cluster_id() -> str:
    """A random cluster id as Kafka makes them: 16 bytes in URL-safe base 64, never with a dash in front."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def _broken(kafka: Path, why: str) -> BrokerError:
    return BrokerError(f"data folder {kafka.parent} is broken: in {kafka.name}/, {why}; restore it or choose another")
