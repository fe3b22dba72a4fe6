"""Command-line flags made from settings: each field of a section is a flag, described by the same words."""

from collections.abc import Callable, Collection
from typing import Any

import click

from clawstream.streams.settings import Section

Command = Callable[..., Any]


def flags(model: type[Section], *, without: Collection[str] = ()) -> Callable[[Command], Command]:
    """Add ``--field`` for each field of ``model``; what is not given stays unset: file and environment then count.

    ``without``: fields that get none, such as secrets, which anybody could read in the list of processes.
    """

    def decorate(command: Command) -> Command:
        for name, field in reversed(model.model_fields.items()):
            if name in without:
                continue
            flag = f"--{name.replace('_', '-')}"
            default = "required" if field.is_required() else f"default: {field.get_default(call_default_factory=True)}"
            described = f"{field.description}  [{default}]"
            if field.annotation is bool:
                flag = f"{flag}/--no-{name.replace('_', '-')}"
                command = click.option(flag, name, default=None, help=described)(command)
            else:
                command = click.option(flag, name, default=None, metavar="VALUE", help=described)(command)
        return command

    return decorate
