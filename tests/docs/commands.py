"""Is a line of shell a command that there is, with flags, settings and values as the real one has them?"""

import importlib.util
import re
import shlex
import tomllib
from collections.abc import Callable, Sequence
from typing import Any

import click
import yaml
from pydantic import ValidationError

from clawstream.cli.main import cli
from clawstream.cli.reference.commands import section_of
from clawstream.cli.reference.sections import MODELS
from clawstream.dataset.errors import DatasetError
from clawstream.streams.settings import Section, SettingsError, load
from tests.docs.blocks import ROOT

MODULE = "clawstream.cli.main"
_ASSIGNED = re.compile(r"[A-Z_]+=")


class NoCommandError(Exception):
    """There is no such command; says why."""


class ForeignError(NoCommandError):
    """It is a program of others."""


class IncompleteError(NoCommandError):
    """It misses an argument, as a command that is only named may."""


def lines_of(text: str) -> list[str]:
    """The command lines of a block, with what goes on in the next line."""
    return [line for line in text.replace("\\\n", " ").splitlines() if shlex.split(line, comments=True)]


def check_line(line: str) -> None:
    """Raise ``NoCommandError`` unless every part of the line is a command."""
    words = shlex.split(line, comments=True)
    words = words[: words.index("||")] if "||" in words else words
    environment = dict(word.split("=", 1) for word in words if _ASSIGNED.match(word))
    check_environment(environment)
    command = [word for word in words if word not in {f"{name}={value}" for name, value in environment.items()}]
    if MODULE in command:
        command = ["clawstream", *command[command.index(MODULE) + 1 :]]
    program, *arguments = command
    if program not in PROGRAMS:
        raise ForeignError(f"{program}: no test knows it; {', '.join(PROGRAMS)} are known")
    PROGRAMS[program](arguments)


def check_environment(environment: dict[str, str]) -> None:
    """Variables of ours name a setting and fit it."""
    for name in environment:
        section = name.removeprefix("CLAWSTREAM_").split("_")[0].lower()
        if name.startswith("CLAWSTREAM_") and section in MODELS:
            fits(MODELS[section], {}, environment)


def check_clawstream(arguments: Sequence[str]) -> None:
    """Parsed by the command line itself, and its flags by the settings."""
    try:
        name, context = parsed(arguments)
    except click.exceptions.Exit:  # --help was asked for, and given
        return
    except click.MissingParameter as error:
        raise IncompleteError(error.format_message()) from error
    except DatasetError:
        return  # a dataset of the reader's own
    except click.ClickException as error:
        if isinstance(error, click.BadParameter) and error.param and isinstance(error.param.type, click.Path):
            return  # a file of the reader's own
        raise NoCommandError(error.format_message()) from error
    model = MODELS.get(section_of(name))
    if model is not None:
        fits(model, {key: value for key, value in context.params.items() if key in model.model_fields})


def parsed(arguments: Sequence[str]) -> tuple[str, click.Context]:
    """The innermost command's name and what it would be run with."""
    name, command, rest = "clawstream", click.Command("none"), list(arguments)
    command, context = cli, click.Context(cli, info_name=name)
    while isinstance(command, click.Group) and (rest := command.make_parser(context).parse_args(rest)[1]):
        found, inner, rest = command.resolve_command(context, rest)
        name, command = found or "", inner or command
        context = click.Context(command, info_name=name, parent=context)
    return name, command.make_context(name, rest) if not isinstance(command, click.Group) else context


def fits(model: type[Section], flags: dict[str, Any], environment: dict[str, str] | None = None) -> None:
    """The values are as the section wants them; what it misses may stand in a file."""
    try:
        load(model, flags, environment or {})
    except SettingsError as error:
        cause = error.__cause__
        if not isinstance(cause, ValidationError) or any(each["type"] != "missing" for each in cause.errors()):
            raise NoCommandError(str(error)) from error


def check_make(arguments: Sequence[str]) -> None:
    """Targets of the Makefile."""
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    _known("target of make", [each for each in arguments if "=" not in each], targets)


def check_compose(arguments: Sequence[str]) -> None:
    """``docker compose`` with profiles and services of the file."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    profiles = {profile for service in services.values() for profile in service.get("profiles", ())}
    compose, *rest = arguments
    _known("docker command", [compose], ["compose", "build"])
    while rest[:1] == ["--profile"]:
        _known("profile", [rest[1]], profiles)
        rest = rest[2:]
    _known("service", [each for each in rest[1:] if not each.startswith("-")], services)


def check_pip(arguments: Sequence[str]) -> None:
    """Extras that there are."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extras in re.findall(r"clawstream\[([^\]]*)\]", " ".join(arguments)):
        _known("extra", extras.split(","), project["optional-dependencies"])


def check_python(arguments: Sequence[str]) -> None:
    """``python -m`` a module that is there."""
    if arguments[0] == "-m" and importlib.util.find_spec(arguments[1]) is None:
        raise NoCommandError(f"there is no module {arguments[1]}")


def _known(what: str, asked: Sequence[str], there: Any) -> None:
    for each in asked:
        if each not in there:
            raise NoCommandError(f"there is no {what} {each}; there are {', '.join(there)}")


PROGRAMS: dict[str, Callable[[Sequence[str]], None]] = {
    "clawstream": check_clawstream,
    "docker": check_compose,
    "make": check_make,
    "pip": check_pip,
    "python": check_python,
}
