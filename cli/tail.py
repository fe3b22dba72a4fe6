"""``clawstream tail``: a topic's records, decoded, as they arrive."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import click
import msgspec

from clawstream.schemas import CodecError, decode
from clawstream.streams.cluster.admin import wait_for_kafka
from clawstream.streams.reading.printing import brief, plain
from clawstream.streams.reading.query import QueryError, condition
from clawstream.streams.reading.tail import RawRecord, Tail
from clawstream.streams.settings import KafkaSettings, load
from clawstream.topics import CATALOGUE

_POLL_SECONDS = 0.5
_TOPICS = {topic.name: topic for topic in CATALOGUE}


@click.command("tail")
@click.argument("topic", type=click.Choice(list(_TOPICS)))
@click.option("--last", default=10, show_default=True, help="Begin with so many records of each partition.")
@click.option("--follow/--no-follow", default=True, show_default=True, help="Go on with what arrives.")
@click.option("--where", multiple=True, metavar="CONDITION", help="Only records that fulfil it; several: all.")
@click.option("--pretty", is_flag=True, help="Where each record lies, when it was written, a line for each field.")
@click.option("--json", "as_json", is_flag=True, help="Whole records, one line of JSON each, for scripts.")
@click.pass_context
def tail(
    context: click.Context,
    /,
    topic: str,
    last: int,
    follow: bool,
    where: tuple[str, ...],
    pretty: bool,
    as_json: bool,
) -> None:
    """Print the records of TOPIC as they arrive.

    For people, lists of tokens are shown by their lengths and long texts are cut. What cannot be decoded is said on
    stderr and left out. Conditions are such as channel=train, reward>=0.5, agent in a,b or group.size=8.
    """
    if pretty and as_json:
        raise click.UsageError("--pretty is for people and --json for scripts")
    source = _TOPICS[topic]
    try:
        wanted = [condition(text, source.record.__struct_fields__) for text in where]
    except QueryError as error:
        raise click.UsageError(str(error)) from error
    kafka = load(KafkaSettings, context.obj)
    wait_for_kafka(kafka, timeout_seconds=10)
    for raw in _raw(Tail(kafka, source, last), follow=follow):
        try:
            record = decode(raw.value, source.record)
        except CodecError as error:
            click.secho(f"left out: {error}", fg="yellow", err=True)
            continue
        if not all(each.holds(record) for each in wanted):
            continue
        if pretty:
            click.secho(_place(topic, raw), bold=True)
        shown = msgspec.json.encode(plain(record) if as_json else brief(record))
        click.echo(msgspec.json.format(shown, indent=2) if pretty else shown)


def _place(topic: str, raw: RawRecord) -> str:
    at = datetime.fromtimestamp(raw.timestamp_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{topic}[{raw.partition}]@{raw.offset}  {at}  {raw.key}"


def _raw(tail: Tail, *, follow: bool) -> Iterator[RawRecord]:
    """What ``tail`` hands out, up to the present end where it is not to ``follow``."""
    try:
        ends = {} if follow else asyncio.run(tail.ends())
        while follow or any(tail.reached(partition) < end for partition, end in ends.items()):
            yield from tail.poll(_POLL_SECONDS)
    except KeyboardInterrupt:
        return
    finally:
        tail.close()
