"""``clawstream replay``: history again, through reward processors or as it is."""

import importlib
import sys
from datetime import UTC, datetime
from typing import Any

import click

from clawstream.processors.settings import ProcessorsSettings
from clawstream.streams.process.log import configure_logging
from clawstream.streams.reading.query import QueryError, condition
from clawstream.streams.reading.ranges import read_range
from clawstream.streams.settings import KafkaSettings, load
from clawstream.topics import CATALOGUE, STEPS, Topic

_TOPICS = {topic.name: topic for topic in CATALOGUE if topic.retention_ms is not None}


@click.command("replay")
@click.option("--include", default=None, help="Files or modules with reward processors, over [processors] include.")
@click.option("--into", default="", metavar="NAME", help="Write into topics NAME-rewards, NAME-samples and so on.")
@click.option("--copy", "copied", type=click.Choice(list(_TOPICS)), help="Copy this topic as it is, through nothing.")
@click.option("--trajectory", "trajectories", multiple=True, help="Only this one; may be given again.")
@click.option("--since", type=click.DateTime(), help="Only what came at this time (UTC) or later.")
@click.option("--until", type=click.DateTime(), help="Only what came before this time (UTC).")
@click.option("--where", multiple=True, metavar="CONDITION", help="Only where a step fulfils it, as model=policy.")
@click.option("--offsets", multiple=True, metavar="RANGE", help="Only this range, as steps[0]@10-200; may be repeated.")
@click.option("--rate", default=0.0, type=click.FloatRange(min=0), help="At most so many records a second; 0: any.")
@click.option("--as-version", type=click.IntRange(min=0), help="Copied samples say they are from this policy version.")
@click.option("--save", "save_to", default="", metavar="FILE", help="Write the events there, for tests.")
@click.pass_context
def replay(context: click.Context, /, include: str | None, copied: str | None, **asked: Any) -> None:
    """Run the reward processors of [processors] over the steps and feedback that Kafka holds.

    Prints each reward as a line of JSON; with --into writes everything that the processors put out into topics of its
    own. A trajectory is taken whole when one of its steps is asked for. After a kill the same command goes on.
    Exit status: 1 when a reward processor failed at any.
    """
    configure_logging("replay", context.meta["log_level"])
    kafka, topic = load(KafkaSettings, context.obj), _TOPICS[copied] if copied else STEPS
    selection = _selection(asked, topic)
    if copied:
        _refuse(asked["save_to"] or include, "--copy takes neither --include nor --save: it goes through nothing")
        _refuse(not asked["into"], "--copy needs --into: the name of topics to write")
        copying: Any = importlib.import_module("clawstream.processors.replay.copying")
        wanted = {"into": asked["into"], "as_version": asked["as_version"], "rate": asked["rate"]}
        sys.exit(copying.run(kafka, copying.Copy(topic=topic, selection=selection, **wanted)))
    _refuse(asked["as_version"] is not None, "--as-version is for --copy samples")
    running: Any = importlib.import_module("clawstream.processors.replay.running")
    wanted = {"into": asked["into"], "rate": asked["rate"], "save_to": asked["save_to"]}
    settings = load(ProcessorsSettings, {"include": include})
    sys.exit(running.run(settings, kafka, running.Replay(selection=selection, **wanted)))


def _selection(asked: dict[str, Any], topic: Topic[Any]) -> Any:
    offsets = dict[str, dict[int, tuple[int, int]]]()
    try:
        where = tuple(condition(text, topic.record.__struct_fields__) for text in asked["where"])
        for text in asked["offsets"]:
            name, partition, start, end = read_range(text)
            _refuse(name != topic.name, f"--offsets {text}: what is replayed is chosen by offsets of {topic.name}")
            offsets.setdefault(name, {})[partition] = (start, end)
    except (QueryError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    selection: Any = importlib.import_module("clawstream.processors.replay.selection").Selection
    return selection(
        trajectories=frozenset(asked["trajectories"]),
        since=_utc(asked["since"]),
        until=_utc(asked["until"]),
        where=where,
        offsets=offsets,
    )


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None


def _refuse(wrong: object, why: str) -> None:
    if wrong:
        raise click.UsageError(why)
