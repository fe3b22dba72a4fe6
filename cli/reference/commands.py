"""The page of every command: how it is called, what it does, its options. From the command line's own words."""

import inspect
from collections.abc import Iterator

import click

from clawstream.cli.main import cli
from clawstream.cli.reference.markdown import code, page, table
from clawstream.cli.reference.sections import MODELS

SECTION_OF = {"process": "processors", "train": "trainer", "run": "agents", "topics": "kafka"}  # else of the same name
_HEAD = """# Commands

<!-- python -m clawstream.cli.reference -->

Options of all commands stand before the command's name. A setting that cannot be used, a cluster that does not answer
and the like are said in one sentence on stderr, with exit status 2."""
_WIDTH = 120


def commands() -> str:
    """The whole page."""
    top = click.Context(cli, info_name="clawstream", terminal_width=_WIDTH)
    return page(_HEAD, _options(top), *_below(top))


def _below(context: click.Context) -> Iterator[str]:
    """Every command of a group, and what is below each."""
    group = context.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(context):
        command = group.commands[name]
        inner = click.Context(command, info_name=name, parent=context, terminal_width=_WIDTH)
        yield f"## {inner.command_path}"
        yield f"```text\n{inner.get_usage()}\n```"
        yield inspect.cleandoc(command.help or "")
        yield _options(inner)
        yield _settings(inner)
        yield from _below(inner)


def _options(context: click.Context) -> str:
    settings = set(settings_of(context))
    records = [
        parameter.get_help_record(context) for parameter in context.command.params if parameter.name not in settings
    ]
    rows = [(code(record[0]), record[1].replace("  [", " [")) for record in records if record is not None]
    return table(("option", "means"), rows) if rows else ""


def _settings(context: click.Context) -> str:
    section, settings = section_of(context.info_name or ""), settings_of(context)
    if not settings:
        return ""
    link, first = f"[`[{section}]`](configuration.md#{section})", settings[0]
    return f"Every setting of {link} is an option too: `{first}` is `--{first.replace('_', '-')} VALUE`."


def section_of(command: str) -> str:
    """The section whose settings are a command's options, where it has one."""
    return SECTION_OF.get(command, command)


def settings_of(context: click.Context) -> list[str]:
    """The command's options that are settings of its section."""
    model = MODELS.get(section_of(context.info_name or ""))
    named = {parameter.name for parameter in context.command.params}
    return [name for name in model.model_fields if name in named] if model is not None else []
