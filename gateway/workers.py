"""Several gateway processes on one port, which the kernel shares out by connection (SO_REUSEPORT).

Invariant: a worker that ends by itself is started again, after a pause that doubles from 1 to 30 seconds while it keeps
ending, and that is said; a stop ends all of them, each with its calls in flight; none outlives this process.
``/metrics`` of whichever worker is asked shows all of them: what is counted is summed, over workers that have died too,
and what is measured (calls in flight, tokens held) is one series for each living worker, by ``pid``.
"""

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

from prometheus_client.multiprocess import mark_process_dead

from clawstream.gateway.settings import GatewaySettings
from clawstream.streams.errors import StreamError
from clawstream.streams.files.temporary import temporary_folder
from clawstream.streams.process.log import configure_logging
from clawstream.streams.process.shutdown import stop_event
from clawstream.streams.settings import KafkaSettings, SettingsError

Work = Callable[[GatewaySettings, KafkaSettings], None]  # serves until SIGTERM

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_LOOK_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 30.0
_HEALTHY_SECONDS = 60.0
_STOP_SECONDS = 30.0  # beyond the time that calls in flight have

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Worker:
    """One place for a process."""

    number: int
    process: SpawnProcess | None = None
    started_at: float = 0.0  # monotonic seconds
    due_at: float = 0.0  # when it is to be started next
    pause_seconds: float = 1.0


def run_workers(settings: GatewaySettings, kafka: KafkaSettings, work: Work) -> int:
    """Keep ``settings.workers`` processes at ``work`` until SIGTERM or Ctrl-C. Raises ``StreamError`` for a port that
    is taken."""
    stop = stop_event()
    with _metrics_folder() as folder, _reserved(settings.host, settings.port) as port:
        each = share(settings, port)
        workers = [Worker(number=number) for number in range(settings.workers)]
        _log.info("%d workers share port %d", settings.workers, port)
        try:
            while not stop.is_set():
                for worker in workers:
                    if worker.process is None and time.monotonic() >= worker.due_at:
                        _start(worker, each, kafka, work)
                wait([worker.process.sentinel for worker in workers if worker.process is not None], _LOOK_SECONDS)
                for worker in workers:
                    _look(worker, folder, stop)
        finally:
            _stop(workers, settings.drain_seconds + _STOP_SECONDS)
    return 0


def share(settings: GatewaySettings, port: int) -> GatewaySettings:
    """The settings of one of the workers: its share of what counts for all of them."""
    pace = -(-settings.trajectories_per_version // settings.workers)
    return settings.model_copy(update={"port": port, "trajectories_per_version": pace})


def _start(worker: Worker, settings: GatewaySettings, kafka: KafkaSettings, work: Work) -> None:
    level = logging.getLevelName(logging.getLogger().level)
    worker.process = multiprocessing.get_context("spawn").Process(
        target=_be_worker,
        args=(worker.number, level, settings, kafka, work),
        name=f"gateway-{worker.number}",
        daemon=True,
    )
    worker.process.start()
    worker.started_at = time.monotonic()


def _look(worker: Worker, folder: str, stop: threading.Event) -> None:
    """Note that a worker has ended."""
    process = worker.process
    if process is None or process.is_alive():
        return
    mark_process_dead(process.pid, folder)  # type: ignore[no-untyped-call]
    lived = time.monotonic() - worker.started_at
    worker.pause_seconds = 1.0 if lived > _HEALTHY_SECONDS else worker.pause_seconds
    if not stop.is_set():
        _log.error(
            "worker %d (pid %s) ended with status %s after %.0f s; starting it again in %.0f s",
            *(worker.number, process.pid, process.exitcode, lived, worker.pause_seconds),
        )
    worker.process, worker.due_at = None, time.monotonic() + worker.pause_seconds
    worker.pause_seconds = min(2 * worker.pause_seconds, _LONGEST_PAUSE_SECONDS)


def _stop(workers: list[Worker], seconds: float) -> None:
    running = [worker.process for worker in workers if worker.process is not None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + seconds
    for process in running:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.is_alive():
            _log.error("%s (pid %s) did not stop within %.0f s; killed", process.name, process.pid, seconds)
            process.kill()
            process.join()


def _be_worker(number: int, level: str, settings: GatewaySettings, kafka: KafkaSettings, work: Work) -> None:
    """In the worker: do ``work``; stop as on SIGTERM when the parent is gone."""
    configure_logging(f"gateway-{number}", level)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work(settings, kafka)
    except (SettingsError, StreamError) as error:  # as the command line does: a sentence, and no traceback
        _log.error("%s", error)
        sys.exit(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


@contextlib.contextmanager
def _reserved(host: str, port: int) -> Iterator[int]:
    """A port on which the workers can listen together; nobody else gets it meanwhile."""
    if not hasattr(socket, "SO_REUSEPORT"):
        raise SettingsError("[gateway] workers: this system cannot share a port between processes; use 1")
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    with socket.socket(family, socket.SOCK_STREAM) as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            reserved.bind(address)
        except OSError as error:
            raise StreamError(f"cannot listen on {host} port {port}: {error.strerror}") from error
        yield int(reserved.getsockname()[1])


@contextlib.contextmanager
def _metrics_folder() -> Iterator[str]:
    """Where workers keep their metrics; they read the variable when they import prometheus_client."""
    with temporary_folder("metrics") as folder:
        os.environ[METRICS_FOLDER] = str(folder)
        try:
            yield str(folder)
        finally:
            del os.environ[METRICS_FOLDER]
