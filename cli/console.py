"""``clawstream console``: the web page."""

import importlib
import sys
from collections.abc import Callable
from typing import Any

import click

from clawstream.cli.options import flags
from clawstream.console.settings import ConsoleSettings
from clawstream.streams.process.log import configure_logging
from clawstream.streams.settings import KafkaSettings, load


@click.command("console")
@click.option("--rebuild", is_flag=True, help="Throw the index away and build it from the topics before serving.")
@flags(ConsoleSettings)
@click.pass_context
def console(context: click.Context, /, rebuild: bool, **given: Any) -> None:
    """Look at what agents do and what judges said, and decide what trains."""
    configure_logging("console", context.meta["log_level"])
    settings, kafka = load(ConsoleSettings, given), load(KafkaSettings, context.obj)
    run: Callable[..., int] = importlib.import_module("clawstream.console.command").run
    sys.exit(run(settings, kafka, rebuild=rebuild))
