"""The demo's processes: laid out, started, logged to files, stopped.

Invariant: leaving :func:`running` by any way stops every process.
"""

import asyncio
import contextlib
import shutil
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

from rich.console import Console

from clawstream.demo.configuration import configuration, write_toml
from clawstream.demo.settings import DemoSettings
from clawstream.streams.settings import CONFIG_VARIABLE, KafkaSettings
from clawstream.up.processes import Stack, stack
from clawstream.up.settings import UpSettings
from clawstream.up.start import start_stack
from clawstream.up.supervisor import Supervisor


def clear(folder: Path) -> None:
    """Remove what an earlier run wrote, except its model, which the same settings make again."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("kafka", "train", "logs", "console"):
        shutil.rmtree(folder / name, ignore_errors=True)


def lay_out(settings: DemoSettings, kafka: KafkaSettings, model: Path) -> Stack:
    """The processes, and the settings file that they read."""
    file = (settings.data_dir / "clawstream.toml").resolve()
    sections = configuration(settings)
    write_toml(sections, file)
    kafka = kafka.model_copy(update=sections["kafka"])
    if "bootstrap_servers" in kafka.model_fields_set:  # a cluster that keeps what earlier runs wrote
        kafka = kafka.model_copy(update={"topic_prefix": f"{kafka.topic_prefix}demo-{time.time_ns():x}-"})
    up = UpSettings(model=model.resolve(), data_dir=settings.data_dir.resolve())
    return stack(up, kafka, {CONFIG_VARIABLE: str(file)})


class FileLog:
    """Each process's lines in a file of its own; what the supervisor says of restarts is shown too."""

    def __init__(self, folder: Path, console: Console) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._console = folder, console

    def __call__(self, name: str, line: str) -> None:
        """Write one line."""
        with (self._folder / f"{name}.log").open("a") as log:
            log.write(f"{line}\n")
        if "starting it again" in line:
            self._console.print(f"{name}: {line}", style="yellow")


@contextlib.asynccontextmanager
async def running(layout: Stack, logs: FileLog) -> AsyncIterator[asyncio.Event]:
    """Everything started; the event is set by Ctrl-C or SIGTERM, which also cancel what the body awaits."""
    stop, body = asyncio.Event(), asyncio.current_task()
    supervisor = Supervisor(logs)

    def interrupted() -> None:
        if not stop.is_set() and body is not None:
            body.cancel()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupted)
    try:
        await start_stack(supervisor, layout)
        yield stop
    finally:
        await supervisor.stop()
