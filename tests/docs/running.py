"""A page is run from top to bottom, in one folder, as its reader would.

A block with a ``title`` becomes a file. Python runs in one namespace, and what follows it as ``text title="prints"`` is
what it prints; its ``test_`` functions are called. In a ``console`` block a line that begins with ``$`` is a command of
``clawstream``, perhaps after variables; what follows is what it prints, and ``|| true`` says that it ends with 1.
``…`` alone stands for lines, and within a line for any text.
"""

import contextlib
import io
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from clawstream.cli.main import cli
from tests.docs.blocks import Block

PRINTS = "prints"
PREFIX = "CLAWSTREAM_KAFKA_TOPIC_PREFIX"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a page is run."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    read_as: Mapping[str, str] = field(default_factory=dict)  # what stands in the page, and what is meant here


def is_run(block: Block) -> bool:
    """Does running its page run this block, rather than write or compare it?"""
    return block.language in ("python", "console") and block.title is None and block.not_run is None


def run_page(blocks: list[Block], place: Place, patch: pytest.MonkeyPatch) -> None:
    """Run the blocks, one after the other."""
    patch.chdir(place.folder)
    patch.syspath_prepend(place.folder)
    for name, value in place.environment.items():
        patch.setenv(name, value)
    namespace = dict[str, Any]()
    for block, following in zip_longest(blocks, blocks[1:]):
        text = read(block, place)
        if block.title is not None and block.title != PRINTS:
            (place.folder / block.title).write_text(text)
        elif is_run(block) and block.language == "console":
            run_console(text, place, patch)
        elif is_run(block):
            shown = following if following is not None and following.title == PRINTS else None
            run_python(block, text, namespace, shown)


def read(block: Block, place: Place) -> str:
    """The block's text, as it is meant here."""
    text = block.text
    for said, meant in place.read_as.items():
        text = text.replace(said, meant)
    return text


def run_python(block: Block, text: str, namespace: dict[str, Any], shown: Block | None) -> None:
    """Run it, and compare what it prints where the page shows that."""
    before = set(namespace)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(text, str(block), "exec"), namespace)
        for name in sorted(namespace.keys() - before):
            if name.startswith("test_"):
                namespace[name]()
    if shown is not None:
        compare(str(block), printed.getvalue(), shown.text.splitlines())


def run_console(text: str, place: Place, patch: pytest.MonkeyPatch) -> None:
    """Run every command, and compare what it prints."""
    for command, shown in commands_of(text):
        run_command(command, shown, place, patch)


def commands_of(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console block, and the lines that it prints."""
    for command, shown in re.findall(r"^\$ (.*?)$\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
        yield command, shown.splitlines()


def run_command(command: str, shown: list[str], place: Place, patch: pytest.MonkeyPatch) -> None:
    """Run one command of ``clawstream``, and compare."""
    fails = command.endswith("|| true")
    words = shlex.split(command.removesuffix("|| true"))
    with patch.context() as variables:
        while "=" in words[0]:
            name, value = words.pop(0).split("=", 1)
            variables.setenv(name, place.environment.get(PREFIX, "") + value if name == PREFIX else value)
        assert words.pop(0) == "clawstream"
        ended = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert ended.exit_code == int(fails), f"{command}\n{ended.output}"
    compare(command, ended.stdout, shown)


def compare(what: str, printed: str, shown: list[str]) -> None:
    """Assert that ``printed`` is what is ``shown``."""
    lines = [r"(?:.*\n)*" if line == "…" else r".*".join(map(re.escape, line.split("…"))) + r"\n" for line in shown]
    whole = printed if not printed or printed.endswith("\n") else f"{printed}\n"
    wanted = "\n".join(shown)
    assert re.fullmatch("".join(lines), whole), f"{what}\nprinted\n{printed}\nand not\n{wanted}"
