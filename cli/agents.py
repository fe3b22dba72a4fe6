"""``clawstream agents``: run white-box agents over a task file."""

import importlib
import sys
from collections.abc import Callable
from typing import Any

import click

from clawstream.agents.settings import AgentsSettings
from clawstream.cli.options import flags
from clawstream.streams.process.log import configure_logging
from clawstream.streams.settings import load


@click.group("agents")
def agents() -> None:
    """Run white-box agents over a task file."""


@agents.command("run")
@click.argument("flow", metavar="MODULE:CLASS")
@flags(AgentsSettings)
@click.pass_context
def run(context: click.Context, /, flow: str, **given: Any) -> None:
    """Run the flow MODULE:CLASS, a class with run(task), over the tasks of a file.

    Exit status: 0 when every trajectory was completed, 1 when any failed, 2 when nothing could be begun, 130 after
    Ctrl-C, which aborts what is open.
    """
    configure_logging("agents", context.meta["log_level"])
    settings = load(AgentsSettings, given)
    work: Callable[[str, AgentsSettings], int] = importlib.import_module("clawstream.agents.command").run
    sys.exit(work(flow, settings))
