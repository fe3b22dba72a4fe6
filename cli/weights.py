"""``clawstream weights``: list a model's versions, or go back to one of them."""

import sys
from collections.abc import Callable
from typing import Any

import click

from clawstream.streams.settings import KafkaSettings, load
from clawstream.trainer.errors import TrainerError
from clawstream.trainer.settings import TrainerSettings


@click.group("weights")
def weights() -> None:
    """List the versions of a model's weights, or go back to one of them."""


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
    """Show every version on disk, oldest first: its parent, reward, validation and the nodes that serve it."""
    from clawstream.trainer.weights import HEADER, listed

    settings, kafka = _settings(context, given)
    click.echo(HEADER)
    for line in listed(settings, kafka):
        click.echo(str(line))


@weights.command("rollback")
@click.argument("version", type=int)
@_options
def rollback(context: click.Context, /, version: int, **given: Any) -> None:
    """Announce the weights of VERSION again, as a new version; the trainer must be stopped, and goes on from there."""
    from clawstream.trainer.weights import rolled_back

    settings, kafka = _settings(context, given)
    try:
        state = rolled_back(settings, kafka, version)
    except TrainerError as error:
        click.secho(f"clawstream: {error}", fg="red", err=True)
        sys.exit(2)
    click.echo(f"version {state.version} has the weights of version {version}; nodes load it now")
