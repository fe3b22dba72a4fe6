"""``clawstream replay``: reward processors over history."""

import importlib
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import click

from clawstream.processors.settings import ProcessorsSettings
from clawstream.streams.log import configure_logging
from clawstream.streams.settings import KafkaSettings, load


@click.command("replay")
@click.option("--include", default=None, help="Files or modules with reward processors, over [processors] include.")
@click.option("--trajectory", "trajectories", multiple=True, help="Only this one; may be given again.")
@click.option("--since", type=click.DateTime(), help="Only what came at this time (UTC) or later.")
@click.option("--save", "save_to", default="", metavar="FILE", help="Write the events there, for tests.")
@click.pass_context
def replay(
    context: click.Context, /, include: str | None, trajectories: tuple[str, ...], since: datetime | None, save_to: str
) -> None:
    """Run the reward processors of [processors] over the steps and feedback that Kafka holds.

    Prints each reward as a line of JSON and writes to no topic. Exit status: 1 when a reward processor failed at any.
    """
    configure_logging("replay", context.meta["log_level"])
    settings = load(ProcessorsSettings, {"include": include})
    start = since.replace(tzinfo=UTC) if since else None
    run: Callable[..., int] = importlib.import_module("clawstream.processors.replay").run
    sys.exit(run(settings, load(KafkaSettings, context.obj), trajectories, start, save_to))
