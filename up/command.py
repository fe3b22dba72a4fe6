"""``clawstream up``: one command, one coloured log with a prefix per process, clean Ctrl-C."""

import asyncio
import signal
import sys

import click

from clawstream.streams.settings import KafkaSettings
from clawstream.up.processes import Stack, stack
from clawstream.up.settings import UpSettings
from clawstream.up.start import start_stack, until_ready
from clawstream.up.supervisor import Supervisor

_COLOURS = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan", "bright_green", "bright_magenta")


class ColouredLog:
    """Prints each line behind its process's name, in its colour."""

    def __init__(self) -> None:
        self._colour_of: dict[str, str] = {}

    def __call__(self, name: str, line: str) -> None:
        """Print one line."""
        colour = self._colour_of.setdefault(name, _COLOURS[len(self._colour_of) % len(_COLOURS)])
        click.echo(f"{click.style(f'{name:>10} |', fg=colour)} {line}")


def run(settings: UpSettings, kafka: KafkaSettings) -> int:
    """Start everything and watch it until Ctrl-C or SIGTERM."""
    if not (settings.model / "config.json").exists():
        click.secho(f"clawstream: {settings.model} is no Hugging Face model folder: no config.json", fg="red", err=True)
        return 2
    return asyncio.run(_watch(settings, stack(settings, kafka)))


async def _watch(settings: UpSettings, layout: Stack) -> int:
    log, stop = ColouredLog(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    supervisor = Supervisor(log, settings.stop_seconds)
    starting = asyncio.create_task(_start(supervisor, layout, log))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await stopped
    finally:
        starting.cancel()
        log("up", "stopping")
        await supervisor.stop()
        sys.stdout.flush()
    return 0


async def _start(supervisor: Supervisor, layout: Stack, log: ColouredLog) -> None:
    await start_stack(supervisor, layout)
    log("up", f"Kafka: {layout.kafka.bootstrap_servers}; waiting for a rollout node")
    await until_ready(layout.gateway_url)
    where = f"; console: {layout.console_url}" if layout.console_url else ""
    log("up", f"ready; agents' base_url: {layout.gateway_url}/v1{where}")
