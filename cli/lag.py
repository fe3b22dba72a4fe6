"""``clawstream lag``: how far everybody is behind, as a table, as JSON, or as an exit status."""

import sys
import time
from collections.abc import Iterable

import click
import msgspec
from prometheus_client import CollectorRegistry

from clawstream.cli.tables import aligned
from clawstream.streams.cluster.admin import wait_for_kafka
from clawstream.streams.lag.behind import Behind, Onlooker, Report
from clawstream.streams.lag.exporter import LagCollector
from clawstream.streams.process.metrics import serve_metrics
from clawstream.streams.process.shutdown import stop_event
from clawstream.streams.settings import KafkaSettings, load


@click.command("lag")
@click.option(
    "--watch", default=None, type=click.FloatRange(min=0.2), metavar="SECONDS", help="Show it again each time."
)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for scripts.")
@click.option("--partitions", is_flag=True, help="A line for each partition, not for each topic.")
@click.option("--max-records", default=None, type=int, help="Exit with 1 where a group is further behind in a topic.")
@click.option("--max-seconds", default=None, type=float, help="Exit with 1 where a waiting record is older.")
@click.option("--max-versions", default=None, type=int, help="Exit with 1 where a node serves an older policy.")
@click.option("--metrics-port", default=None, type=click.IntRange(1, 65535), help="Serve it to Prometheus there.")
@click.pass_context
def lag(
    context: click.Context,
    /,
    watch: float | None,
    as_json: bool,
    partitions: bool,
    max_records: int | None,
    max_seconds: float | None,
    max_versions: int | None,
    metrics_port: int | None,
) -> None:
    """How far each consumer group is behind, and which policy version each node serves.

    Exit status: 0 when all are within the limits that are given, 1 when any is not.
    """
    kafka = load(KafkaSettings, context.obj)
    wait_for_kafka(kafka, timeout_seconds=10)
    onlooker = Onlooker(kafka)
    if metrics_port is not None:
        serve(onlooker, metrics_port)
        return
    while True:
        report = onlooker.report()
        if watch is not None and not as_json:
            click.clear()
        click.echo(msgspec.json.encode(report) if as_json else "\n".join(shown(report, partitions=partitions)))
        if watch is None:
            break
        time.sleep(watch)
    alarms = list(exceeded(report, max_records, max_seconds, max_versions))
    for alarm in alarms:
        click.secho(alarm, fg="red", err=True)
    sys.exit(1 if alarms else 0)


def serve(onlooker: Onlooker, port: int) -> None:
    """Serve metrics until SIGTERM or Ctrl-C."""
    stop, registry = stop_event(), CollectorRegistry()
    registry.register(LagCollector(onlooker))
    serve_metrics(port, registry=registry)
    click.echo(f"metrics: http://127.0.0.1:{port}/metrics")
    stop.wait()


def shown(report: Report, *, partitions: bool) -> list[str]:
    """The tables' lines."""
    groups = [("group", "topic", "records", "seconds", "oldest waiting")]
    for group, name, behind in _summed(report, partitions=partitions):
        oldest = min((each.oldest for each in behind if each.oldest is not None), default=None)
        since = "-" if oldest is None else oldest.strftime("%Y-%m-%d %H:%M:%S")
        groups.append((group, name, str(_records(behind)), f"{_seconds(behind):.1f}", since))
    nodes = [("node", "model", "serves", "newest", "behind", "health", "heard")]
    for node in report.nodes:
        heard = f"{node.silent_seconds:.0f} s ago"
        nodes.append(
            (node.node, node.model, str(node.version), str(node.newest), str(node.versions), node.health, heard)
        )
    return [*aligned(groups), "", *aligned(nodes)] if len(nodes) > 1 else aligned(groups)


def exceeded(
    report: Report, max_records: int | None, max_seconds: float | None, max_versions: int | None
) -> Iterable[str]:
    """A sentence for each limit that is exceeded."""
    for group, topic, behind in _summed(report, partitions=False):
        records, seconds = _records(behind), _seconds(behind)
        if max_records is not None and records > max_records:
            yield f"{group} is {records} records behind in {topic}; {max_records} are allowed"
        if max_seconds is not None and seconds > max_seconds:
            yield f"{group} has left a record in {topic} waiting for {seconds:.1f} s; {max_seconds:g} s are allowed"
    for node in report.nodes:
        if max_versions is not None and node.versions > max_versions:
            yield f"node {node.node} is {node.versions} versions behind; {max_versions} are allowed"


def _summed(report: Report, *, partitions: bool) -> list[tuple[str, str, list[Behind]]]:
    """What belongs in one line: a group, what it reads, and how far it is behind there."""
    found = dict[tuple[str, str], list[Behind]]()
    for each in report.groups:
        name = f"{each.topic}[{each.partition}]" if partitions else each.topic
        found.setdefault((each.group, name), []).append(each)
    return [(group, name, behind) for (group, name), behind in found.items()]


def _records(behind: list[Behind]) -> int:
    return sum(each.records for each in behind)


def _seconds(behind: list[Behind]) -> float:
    return max(each.seconds for each in behind)
