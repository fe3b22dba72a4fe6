"""The committed reference is what the code says now."""

from pathlib import Path

import pytest

from clawstream.cli.reference.pages import PAGES

FOLDER = Path(__file__).parents[3] / "docs" / "reference"


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_page_is_the_codes(name: str) -> None:
    assert (FOLDER / name).read_text() == PAGES[name](), "run python -m clawstream.cli.reference"


def test_there_is_no_other_page() -> None:
    assert {file.name for file in FOLDER.iterdir()} == set(PAGES)
