"""What a block must be for its language, whether it is run or not.

Invariant: a language that is not here is an error, so no block goes unlooked at.
"""

import contextlib
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from clawstream.cli.reference.sections import MODELS
from clawstream.gateway.callers.keys import read_keys
from clawstream.streams.settings import CONFIG_VARIABLE, load
from tests.docs.blocks import Block
from tests.docs.commands import ForeignError, check_line, lines_of

RUN = ("python", "console")  # by ``test_stories.py``, where they are not marked


def check(block: Block, folder: Path) -> None:
    """Raise what is wrong with ``block``; ``folder`` is for files that it needs."""
    if block.language not in CHECKS:
        raise ValueError(f"{block}: blocks are {', '.join(CHECKS)}, not {block.language or 'without a language'}")
    CHECKS[block.language](block, folder)


def check_python(block: Block, _: Path) -> None:
    """It compiles."""
    compile(block.text, str(block), "exec")


def check_commands(block: Block, _: Path) -> None:
    """Every line is a command that there is; one of another program is in a block that says why it is not checked."""
    for line in lines_of(block.text):
        with contextlib.suppress(ForeignError) if block.not_run else contextlib.nullcontext():
            check_line(line)


def check_console(block: Block, _: Path) -> None:
    """What is not run must be commands that there are."""
    commands = re.findall(r"^\$ (.*)$", block.text, re.MULTILINE)
    if not commands:
        raise ValueError(f"{block}: no line begins with $")
    for command in commands if block.not_run else ():
        check_line(command)


def check_toml(block: Block, folder: Path) -> None:
    """Settings, a file of keys, or a part of pyproject.toml; read by what reads them."""
    if block.title == "keys.toml":
        read_keys(block.text)
        return
    text = _with_files(block.text, folder)
    content = tomllib.loads(text)
    if block.title == "pyproject.toml":
        if set(content) != {"project"}:
            raise ValueError(f"{block}: only [project] is checked, not {', '.join(content)}")
        return
    file = folder / "clawstream.toml"
    file.write_text(text)
    if unknown := content.keys() - MODELS.keys():
        raise ValueError(f"{block}: there is no section {', '.join(unknown)}")
    for section in content:
        load(MODELS[section], _required(section, content[section]), {CONFIG_VARIABLE: str(file)})


def check_json(block: Block, _: Path) -> None:
    """One value, or one on each line."""
    try:
        json.loads(block.text)
    except ValueError:
        for line in block.text.splitlines():
            json.loads(line)


def check_yaml(block: Block, _: Path) -> None:
    """It can be read."""
    yaml.safe_load(block.text)


def check_text(block: Block, _: Path) -> None:
    """A drawing, or what a program prints: no command hides in it."""
    if re.search(r"^\s*(\$ |clawstream |make |python )", block.text, re.MULTILINE):
        raise ValueError(f"{block}: commands belong into blocks of sh or console")


def check_other(block: Block, _: Path) -> None:
    """Another program's own file: nothing here can read it, and the page says so."""
    if block.not_run is None:
        raise ValueError(f"{block}: say why it is not checked, as <!-- not run: … -->")


def _with_files(text: str, folder: Path) -> str:
    """``text`` with files that are there, where it names some from the top of a disk."""
    for name in re.findall(r'"/[^"]*/([^"/]+)"', text):
        (folder / name).touch()
    return re.sub(r'"/[^"]*/([^"/]+)"', rf'"{folder}/\1"', text)


def _required(section: str, given: dict[str, Any]) -> dict[str, Any]:
    """Something for each setting that has no default and is not ``given``."""
    fields = MODELS[section].model_fields
    return {name: "given" for name, each in fields.items() if each.is_required() and name not in given}


CHECKS: dict[str, Callable[[Block, Path], None]] = {
    "python": check_python,
    "sh": check_commands,
    "console": check_console,
    "toml": check_toml,
    "json": check_json,
    "json5": check_other,
    "yaml": check_yaml,
    "text": check_text,
}
