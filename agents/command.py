"""``clawstream agents run``: one flow over a file of tasks.

Exit status: 0 when every trajectory was completed, 1 when any failed or could not be opened, 2 when nothing could be
begun, 130 after Ctrl-C or SIGTERM, which abort what is open; a second one ends the process at once.
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Iterator

import click
from rich.console import Console

from clawstream.agents.aio import AsyncGateway
from clawstream.agents.errors import AgentError
from clawstream.agents.flows import Flow, load_flow
from clawstream.agents.progress import showing
from clawstream.agents.retrying import Patience
from clawstream.agents.runner import Runner
from clawstream.agents.settings import AgentsSettings
from clawstream.agents.tally import Tally
from clawstream.agents.tasks import Task, read_tasks

_INTERRUPTED = 130
_STOPS = (signal.SIGINT, signal.SIGTERM)


def run(flow: str, settings: AgentsSettings) -> int:
    """Run ``flow``, named as module:Class; the exit status. Raises ``AgentError`` when nothing can be begun."""
    tasks = read_tasks(settings.tasks)
    return asyncio.run(_run(load_flow(flow), tasks, settings))


async def _run(flow: Flow, tasks: list[Task], settings: AgentsSettings) -> int:
    tally, started = Tally(tasks=len(tasks), rollouts=settings.rollouts), time.monotonic()
    async with _gateway(settings, settings.outage_seconds) as gateway:
        working = asyncio.create_task(_work(Runner(flow, gateway, settings, tally), tasks, settings))
        with _interrupted(working):
            async with showing(Console(stderr=True), flow.name, tally):
                await asyncio.wait({working})
    error = None if working.cancelled() else working.exception()
    if error is not None and (tally.begun == 0 or not isinstance(error, AgentError)):
        raise error
    click.echo("\n".join(tally.lines(time.monotonic() - started)))
    if error is not None:
        click.secho(f"clawstream: no more trajectories could be opened: {error}", fg="red", err=True)
    sys.stdout.flush()
    return _INTERRUPTED if working.cancelled() else int(tally.failed > 0 or error is not None)


async def _work(runner: Runner, tasks: list[Task], settings: AgentsSettings) -> None:
    async with _gateway(settings, outage_seconds=0.0) as impatient:
        await impatient.models()  # a wrong URL or key is said at once
    await runner.work(tasks)


def _gateway(settings: AgentsSettings, outage_seconds: float) -> AsyncGateway:
    return AsyncGateway(
        settings.base_url,
        api_key=settings.api_key.get_secret_value() if settings.api_key is not None else None,
        patience=Patience(outage_seconds=outage_seconds),
        call_seconds=settings.call_seconds,
    )


@contextlib.contextmanager
def _interrupted(working: asyncio.Task[None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM cancel ``working``."""
    loop, before = asyncio.get_running_loop(), {number: signal.getsignal(number) for number in _STOPS}

    def stop() -> None:
        working.cancel()
        for number in _STOPS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in _STOPS:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
