"""``clawstream topics``: create what is missing, show what is there and what differs."""

import sys
from typing import Any

import click
import msgspec

from clawstream.cli.options import flags
from clawstream.cli.tables import aligned
from clawstream.processors.settings import ProcessorsSettings
from clawstream.streams.cluster.access import PROCESSES, access, command
from clawstream.streams.cluster.admin import Drift, create_missing, drift, wait_for_kafka
from clawstream.streams.cluster.inventory import Stored, inventory, table
from clawstream.streams.settings import KafkaSettings, load


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What is said as JSON."""

    created: list[str]
    topics: list[Stored]
    differences: list[Drift]


@click.command("topics")
@click.option("--check", is_flag=True, help="Create nothing; exit with status 1 where the cluster differs.")
@click.option("--add-partitions", is_flag=True, help="Up to kafka.partitions, where nobody reads and nothing is open.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for scripts.")
@click.option("--acls", is_flag=True, help="Only print what allows each process its access, for users of their names.")
@flags(KafkaSettings, without=("sasl_password", "ssl_key_password"))
@click.pass_context
def topics(
    context: click.Context, /, check: bool, add_partitions: bool, as_json: bool, acls: bool, **given: Any
) -> None:
    """Create the topics that are missing, and show how the cluster differs.

    Topics that differ have a mark, and a line that says how; nothing that is there is changed. Sizes are those of all
    replicas. Exit status: 0 when every topic is as the catalogue says, 1 when any is not.
    """
    given["bootstrap_servers"] = given["bootstrap_servers"] or context.obj["bootstrap_servers"]
    settings = load(KafkaSettings, given)
    if acls:
        for process in PROCESSES:
            for each in access(process, settings):
                click.echo(command(each, settings, process))
        return
    wait_for_kafka(settings, timeout_seconds=10)
    if add_partitions:
        _add_partitions(settings)
    created = [] if check else create_missing(settings)
    differences = list(drift(settings))
    found = Shown(created=created, topics=inventory(settings), differences=differences)
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        _print(found)
    sys.exit(1 if differences else 0)


def _add_partitions(settings: KafkaSettings) -> None:
    from clawstream.processors.growing import grow

    for name in grow(settings, load(ProcessorsSettings).memory_seconds):
        click.echo(f"{name} has {settings.partitions} partitions now", err=True)


def _print(found: Shown) -> None:
    for name in found.created:
        click.echo(f"created {name}")
    for line in aligned(table(found.topics, frozenset(each.topic for each in found.differences))):
        click.echo(line)
    for each in found.differences:
        click.secho(f"{each.topic}: {each.what}: wanted {each.wanted}, found {each.found or 'nothing'}", fg="yellow")
    if any(each.what == "partitions" for each in found.differences):
        click.secho("partitions are added by --add-partitions alone, to a pipeline that is at rest", fg="yellow")
    if not found.differences:
        click.echo("every topic is as the catalogue says")
