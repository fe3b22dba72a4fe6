"""``clawstream weights``: list a model's versions, go back to one of them, or take an adapter from service."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from clawstream.cli.tables import aligned
from clawstream.streams.settings import KafkaSettings, load
from clawstream.trainer.errors import TrainerError
from clawstream.trainer.settings import TrainerSettings


@click.group("weights")
def weights() -> None:
    """List a model's versions, go back to one of them, or take an adapter from service."""


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for flag, name, described in (
        ("--output-dir", "output_dir", "the trainer's folder  [default: as in settings]"),
        ("--model-name", "model_name", "name that the model is announced under  [default: as in settings]"),
    ):
        command = click.option(flag, name, default=None, metavar="VALUE", help=described)(command)
    return click.pass_context(command)


def _settings(context: click.Context, given: dict[str, Any]) -> tuple[TrainerSettings, KafkaSettings]:
    return load(TrainerSettings, {"model": ".", **given}), load(KafkaSettings, context.obj)


@weights.command("list")
@_options
def list_(context: click.Context, /, **given: Any) -> None:
    """Show every version on disk, oldest first: its parent, reward, validation and the nodes that serve it.

    Below, every adapter that was announced: its version, and whether it is in service or retired.
    """
    from clawstream.trainer.versions.retiring import ADAPTERS_HEADER, adapters_listed
    from clawstream.trainer.weights import VERSIONS_HEADER, listed

    settings, kafka = _settings(context, given)
    versions = (line.row for line in listed(settings, kafka))
    click.echo("\n".join(aligned([VERSIONS_HEADER, *versions])))
    if adapters := adapters_listed(kafka):
        click.echo("\n".join(["", *aligned([ADAPTERS_HEADER, *adapters])]))


@weights.command("rollback")
@click.argument("version", type=int)
@_options
def rollback(context: click.Context, /, version: int, **given: Any) -> None:
    """Announce the weights of VERSION again, as a new version; the trainer must be stopped, and goes on from there."""
    from clawstream.trainer.weights import rolled_back

    settings, kafka = _settings(context, given)
    with _told():
        state = rolled_back(settings, kafka, version)
    click.echo(f"version {state.version} has the weights of version {version}; nodes load it now")


@weights.command("retire")
@click.argument("name")
@click.pass_context
def retire(context: click.Context, /, name: str) -> None:
    """Take the adapter NAME from service: nodes unload it, its trainer stops, and the model answers in its place."""
    from clawstream.trainer.versions.retiring import set_retired

    with _told():
        found = set_retired(load(KafkaSettings, context.obj), name, retired=True)
    click.echo(f"{name} is retired at version {found.version}; nodes unload it now, and {found.base} answers")


@weights.command("restore")
@click.argument("name")
@click.pass_context
def restore(context: click.Context, /, name: str) -> None:
    """Bring the retired adapter NAME back as it was; its trainer can be started again."""
    from clawstream.trainer.versions.retiring import set_retired

    with _told():
        found = set_retired(load(KafkaSettings, context.obj), name, retired=False)
    click.echo(f"{name} is in service again at version {found.version}; nodes load it now")


@contextmanager
def _told() -> Iterator[None]:
    """End with status 2 and one sentence for what cannot be done."""
    try:
        yield
    except TrainerError as error:
        click.secho(f"clawstream: {error}", fg="red", err=True)
        sys.exit(2)
