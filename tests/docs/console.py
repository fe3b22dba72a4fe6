"""Console blocks of the documentation, run as they stand.

A line that begins with ``$`` is a command of ``clawstream``, perhaps after variables; what follows is what it prints,
where ``…`` alone stands for lines and within a line for any text. ``|| true``: it ends with 1.
"""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from clawstream.cli.main import cli

DOCS = Path(__file__).parents[2] / "docs"


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def run_consoles(text: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run every command of every console block; how many. ``prefix`` stands where a value begins with ``…``."""
    count = 0
    for block in blocks(text, "console"):
        for command, shown in re.findall(r"^\$ (.*?)$\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            run_one(command, shown.splitlines(), prefix, monkeypatch)
            count += 1
    return count


def run_one(command: str, shown: list[str], prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run one command, and compare."""
    fails = command.endswith("|| true")
    words = shlex.split(command.removesuffix("|| true").replace("=…", f"={prefix}").replace(" …", f" {prefix}"))
    with monkeypatch.context() as patch:
        while "=" in words[0]:
            patch.setenv(*words.pop(0).split("=", 1))
        assert words.pop(0) == "clawstream"
        ended = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert ended.exit_code == int(fails), f"{command}\n{ended.output}"
    assert re.fullmatch(pattern(shown), ended.stdout), f"{command}\n{ended.stdout}\nis not\n{shown}"


def pattern(shown: list[str]) -> str:
    """What the shown lines stand for."""
    lines = [r"(?:.*\n)*" if line == "…" else r".*".join(map(re.escape, line.split("…"))) + r"\n" for line in shown]
    return "".join(lines)
