"""Every command has a heading, and every option a line or a section that has it."""

from collections.abc import Iterator

import click
import pytest

from clawstream.cli.main import cli
from clawstream.cli.reference.commands import commands, settings_of

PAGE = commands()


def below(context: click.Context) -> Iterator[click.Context]:
    """Every command, at any depth."""
    if isinstance(context.command, click.Group):
        for name, command in context.command.commands.items():
            inner = click.Context(command, info_name=name, parent=context)
            yield inner
            yield from below(inner)


EVERY = list(below(click.Context(cli, info_name="clawstream")))


@pytest.mark.parametrize("context", EVERY, ids=lambda context: context.command_path)
def test_every_command_is_there(context: click.Context) -> None:
    told = PAGE.split(f"\n## {context.command_path}\n")[1].split("\n## ")[0]
    settings = settings_of(context)
    options = [each for each in context.command.params if isinstance(each, click.Option) and each.name not in settings]
    assert [option.opts[-1] for option in options if option.opts[-1] not in told] == []
    assert ("configuration.md#" in told) == bool(settings)


def test_commands_with_settings_name_their_section() -> None:
    named = {context.info_name for context in EVERY if settings_of(context)}
    apps = {"up", "demo", "broker", "gateway", "process", "rollout", "train", "console"}
    assert named == {*apps, "run", "topics"}
