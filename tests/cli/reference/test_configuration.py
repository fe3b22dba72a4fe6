"""Every setting of every section has a line that says what it is."""

import re

import pytest

from clawstream.cli.reference.configuration import configuration, kind_of
from clawstream.cli.reference.sections import MODELS
from clawstream.streams.settings import SECTIONS

PAGE = configuration()


def test_every_section_has_a_model() -> None:
    assert set(MODELS) == set(SECTIONS)


@pytest.mark.parametrize("section", MODELS)
def test_every_setting_has_a_line(section: str) -> None:
    told = PAGE.split(f"\n## [{section}]\n")[1].split("\n## ")[0]
    assert [name for name in MODELS[section].model_fields if f"| `{name}` |" not in told] == []


def test_every_setting_says_what_it_means() -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert len(lines) > 150
    assert [line for line in lines if re.search(r"\|\s+\|", line)] == []


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"type": "integer", "minimum": 1}, "whole number ≥ 1"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "number > 0, ≤ 1"),
        ({"anyOf": [{"type": "string", "format": "path"}, {"type": "null"}]}, "path"),
        ({"enum": ["a", "b"], "type": "string"}, "`a`, `b`"),
        ({"type": "string", "format": "password", "writeOnly": True}, "secret"),
    ],
)
def test_what_a_value_may_be(field: dict[str, object], words: str) -> None:
    assert kind_of(field) == words
