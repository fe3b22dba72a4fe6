"""A local Kafka as an object: start, stop, kill, start again.

Invariant: at most one broker runs on a data folder, and the folder's lock is held until the JVM on it is gone::

    NEW -> start -> RUNNING -> stop -> STOPPED -> start -> …      an ephemeral folder is gone after stop
                            -> kill -> DEAD    -> start -> …      its data is all there, as after kill -9
"""

import os
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from clawstream.streams.broker.config import ALONE, HOST, JVM_OPTIONS, KAFKA_VERSION, Node, server_properties
from clawstream.streams.broker.errors import BrokerError
from clawstream.streams.broker.install.jars import resolve_jars
from clawstream.streams.broker.install.java import find_java
from clawstream.streams.broker.lock import FileLock
from clawstream.streams.broker.log import last_error, written_since
from clawstream.streams.broker.process import JavaProcess
from clawstream.streams.broker.ready import ReadyProbe
from clawstream.streams.broker.settings import BrokerSettings
from clawstream.streams.broker.storage import DataFolder
from clawstream.streams.files.temporary import temporary_folder
from clawstream.streams.process.ports import free_port, listening, require_free

_DEFAULTS = BrokerSettings()
_LOGGING = Path(__file__).with_name("log4j2.properties")
_POLL_SECONDS = 0.02
_STOP_SECONDS = 30.0


class LocalBroker:
    """A single-node Apache Kafka on 127.0.0.1, for as long as its ``with`` block or until ``stop``.

    Example::

        with LocalBroker(port=0, ephemeral=True) as broker:
            Producer({"bootstrap.servers": broker.bootstrap_servers})
    """

    def __init__(
        self,
        *,
        port: int = _DEFAULTS.port,
        data_dir: Path = _DEFAULTS.data_dir,
        ephemeral: bool = _DEFAULTS.ephemeral,
        cache: Path | None = None,
        start_timeout_seconds: float = 60.0,
        node: Node = ALONE,
    ) -> None:
        """``node``: which one of a cluster it is, and what else Kafka is told."""
        self.port = port or free_port()
        self._ephemeral = ephemeral
        self._data_dir, self._temporary = data_dir, ExitStack()
        self._folder: DataFolder | None = None
        self._cache, self.node = cache, node
        self._start_timeout_seconds = start_timeout_seconds
        self._process: JavaProcess | None = None
        self._lock: FileLock | None = None
        self._log_offset_bytes = 0

    @property
    def bootstrap_servers(self) -> str:
        """What clients connect to; the same after each start."""
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """The JVM's process id. Raises ``BrokerError`` before the first start."""
        return self._started().pid

    @property
    def running(self) -> bool:
        """Is the JVM alive?"""
        return self._process is not None and self._process.running

    @property
    def data_dir(self) -> Path:
        """The folder of its data, absolute. An ephemeral broker has one from its start to its stop."""
        return self._data().path

    @property
    def log_path(self) -> Path:
        """Kafka's log file."""
        return self._data().log

    def start(self) -> None:
        """Start, and return once Kafka answers. Raises ``BrokerError``; nothing is left running or locked then."""
        if self.running:
            raise BrokerError(f"the broker at {self.bootstrap_servers} is already running as process {self.pid}")
        try:
            self._start()
        except BaseException:
            self.kill()
            self._remove_ephemeral()
            raise

    def stop(self) -> None:
        """Shut down cleanly (an ephemeral broker: at once) and remove an ephemeral folder. May be called twice."""
        if self._process is not None and not self._ephemeral:
            self._process.stop(_STOP_SECONDS)
        self.kill()
        self._remove_ephemeral()

    def kill(self) -> None:
        """``kill -9`` the JVM, as a fault test does. The data stays, also that of an ephemeral broker."""
        if self._process is not None:
            self._process.kill()
        if self._lock is not None:
            self._lock.release()

    def wait(self) -> None:
        """Block for as long as it runs. Raises ``BrokerError`` with the reason when it ends by itself."""
        process = self._started()
        process.wait()
        raise self._died(process)

    def __enter__(self) -> "LocalBroker":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        java = find_java()
        jars = resolve_jars(self._cache)
        folder = self._data()
        folder.create()
        self._lock = self._lock_folder(folder)
        require_free(self.port)
        folder.clear_temporary()
        java_command = [
            str(java),
            *JVM_OPTIONS,
            f"-Dlog4j2.configurationFile={_LOGGING}",
            "-Dclawstream.logs=logs",
            "-Djava.io.tmpdir=tmp",
            "-cp",
            f"{jars}{os.sep}*",
        ]
        cluster = folder.format(java_command, self.node)
        self._launch(folder, self._lock, java_command)
        self._wait_ready(cluster)

    def _launch(self, folder: DataFolder, lock: FileLock, java_command: list[str]) -> None:
        controller_port = self.node.voters.get(self.node.node_id) or free_port()
        text = server_properties(port=self.port, controller_port=controller_port, node=self.node)
        folder.properties.write_text(text)
        self._log_offset_bytes = folder.log.stat().st_size if folder.log.exists() else 0
        command = [*java_command, "kafka.Kafka", folder.properties.name]
        self._process = JavaProcess(command, folder=folder.path, output=folder.output, lock_fd=lock.fd)
        lock.note(f"process {self._process.pid} at {self.bootstrap_servers}")

    def _wait_ready(self, cluster: str) -> None:
        process = self._started()
        probe = ReadyProbe(self.bootstrap_servers, cluster)
        deadline = time.monotonic() + self._start_timeout_seconds
        while not (listening(self.port) and probe.answers()):
            if process.wait(_POLL_SECONDS):
                raise self._died(process)
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"Kafka {KAFKA_VERSION} at {self.bootstrap_servers} did not answer within "
                    f"{self._start_timeout_seconds:g} s; its log is {self.log_path}"
                )

    def _lock_folder(self, folder: DataFolder) -> FileLock:
        lock = FileLock(folder.lock)
        try:
            acquired = lock.acquire(wait=False)
        except OSError as error:
            raise BrokerError(f"data folder {folder.path} cannot be written: {error.strerror}") from error
        if not acquired:
            holder = folder.lock.read_text(errors="replace") or "one that is starting"
            raise BrokerError(f"data folder {folder.path} is in use by another broker ({holder})")
        return lock

    def _died(self, process: JavaProcess) -> BrokerError:
        folder = self._data()
        text = folder.output.read_text(errors="replace") + written_since(folder.log, self._log_offset_bytes)
        return BrokerError(
            f"Kafka {KAFKA_VERSION} (process {process.pid}) ended with code {process.exit_code}: {last_error(text)} "
            f"(its log is {folder.log})"
        )

    def _started(self) -> JavaProcess:
        if self._process is None:
            raise BrokerError(f"the broker at {self.bootstrap_servers} was not started")
        return self._process

    def _data(self) -> DataFolder:
        if self._folder is None:
            make = self._temporary.enter_context
            path = make(temporary_folder("kafka")) if self._ephemeral else self._data_dir
            self._folder = DataFolder(path=path.absolute())
        return self._folder

    def _remove_ephemeral(self) -> None:
        if self._ephemeral and self._folder is not None:
            self._temporary.close()
            self._folder = None
