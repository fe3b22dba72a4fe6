"""``clawstream dead``: what could not be read, and putting it back."""

import sys
from datetime import UTC, datetime

import click

from clawstream.streams.cluster.admin import wait_for_kafka
from clawstream.streams.errors import StreamError
from clawstream.streams.reading.letters import BuriedLetter, RedriveError, buried, redrive, topic_named
from clawstream.streams.settings import KafkaSettings, load
from clawstream.streams.writing.producer import Producer
from clawstream.topics import CATALOGUE


@click.group("dead", invoke_without_command=True)
@click.pass_context
def dead(context: click.Context) -> None:
    """List dead letters: topic, number, when, where they were read, by whom, and why they were buried."""
    if context.invoked_subcommand is not None:
        return
    kafka = _reached(context)
    for topic in CATALOGUE:
        for letter in buried(kafka, topic):
            click.echo(_line(letter))


@dead.command("redrive")
@click.argument("topic")
@click.argument("numbers", nargs=-1, type=int)
@click.option("--all", "every", is_flag=True, help="Every letter of the topic.")
@click.pass_context
def redrive_command(context: click.Context, /, topic: str, numbers: tuple[int, ...], every: bool) -> None:
    """Put letters of TOPIC back into it, by their NUMBERS.

    What would be buried again stays where it is. Exit status: 0 when all were put back, 1 when any was not.
    """
    if every == bool(numbers):
        raise click.UsageError("give the numbers of letters, or --all")
    kafka, source = _reached(context), topic_named(topic)
    letters = {letter.number: letter for letter in buried(kafka, source)}
    producer, failed = Producer(kafka, "redrive"), False
    try:
        for number in letters if every else numbers:
            try:
                if number not in letters:
                    raise RedriveError(f"{source.dead} has no letter {number}")
                redrive(source, letters[number], kafka, producer)
                click.echo(f"{source.dead}@{number} is back in {source.name}")
            except StreamError as error:
                failed = True
                click.secho(str(error), fg="yellow", err=True)
    finally:
        producer.close()
    sys.exit(1 if failed else 0)


def _reached(context: click.Context) -> KafkaSettings:
    kafka = load(KafkaSettings, context.obj)
    wait_for_kafka(kafka, timeout_seconds=10)
    return kafka


def _line(letter: BuriedLetter) -> str:
    at = datetime.fromtimestamp(letter.timestamp_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    where = f"[{letter.partition}]@{letter.offset}" if letter.partition >= 0 else ""
    return f"{letter.topic}.dead@{letter.number}  {at}  {letter.topic}{where}  {letter.reader}: {letter.reason}"
