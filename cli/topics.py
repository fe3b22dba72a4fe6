"""``clawstream topics``: create what is missing, show what differs."""

import sys
from typing import Any

import click

from clawstream.cli.options import flags
from clawstream.streams.cluster.access import PROCESSES, access, command
from clawstream.streams.cluster.admin import create_missing, drift, wait_for_kafka
from clawstream.streams.settings import KafkaSettings, load


@click.command("topics")
@click.option("--check", is_flag=True, help="Create nothing; exit with status 1 where the cluster differs.")
@click.option("--acls", is_flag=True, help="Only print what allows each process its access, for users of their names.")
@flags(KafkaSettings, without=("sasl_password", "ssl_key_password"))
@click.pass_context
def topics(context: click.Context, /, check: bool, acls: bool, **given: Any) -> None:
    """Create the topics, or show how the cluster differs."""
    given["bootstrap_servers"] = given["bootstrap_servers"] or context.obj["bootstrap_servers"]
    settings = load(KafkaSettings, given)
    if acls:
        for process in PROCESSES:
            for each in access(process, settings):
                click.echo(command(each, settings, process))
        return
    wait_for_kafka(settings, timeout_seconds=10)
    if not check:
        for name in create_missing(settings):
            click.echo(f"created {name}")
    differences = list(drift(settings))
    for difference in differences:
        line = (
            f"{difference.topic}: {difference.what}: wanted {difference.wanted}, found {difference.found or 'nothing'}"
        )
        click.secho(line, fg="yellow")
    if not differences:
        click.echo("every topic is as the catalogue says")
    sys.exit(1 if differences else 0)
