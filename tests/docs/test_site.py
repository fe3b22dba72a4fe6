"""The site builds without a warning, has every page in its navigation, and no link or picture leads nowhere."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from tests.docs.blocks import DOCS, ROOT, Page, pages

OUTSIDE = ("http://", "https://", "mailto:")


def test_it_builds(tmp_path: Path) -> None:
    """Zensical's own check of links and anchors: in strict mode it fails."""
    shutil.copytree(DOCS, tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    assert len(list((tmp_path / "runs/site").rglob("index.html"))) == len(list(DOCS.rglob("*.md")))


def test_every_page_is_in_the_navigation() -> None:
    named = set(entries(yaml.safe_load((DOCS / ".nav.yml").read_text())["nav"]))
    there = {str(file.relative_to(DOCS)) for file in DOCS.rglob("*.md")}
    assert {page for page in there if not named & {page, str(Path(page).parent)}} == set()
    assert {name for name in named if not (DOCS / name).exists()} == set()


def entries(nav: list[Any]) -> Iterator[str]:
    """Files and folders, at any depth."""
    for each in nav:
        values = each.values() if isinstance(each, dict) else [each]
        for value in values:
            yield from entries(value) if isinstance(value, list) else [value]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.path)
def test_links_lead_somewhere(page: Page) -> None:
    file = ROOT / page.path
    for link in links(file.read_text()):
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        assert target.exists(), f"{page.path} links to {link}"
        assert not file.is_relative_to(DOCS) or target.is_relative_to(DOCS), f"{link} is not on the site"
        assert not anchor or anchor in anchors(target), f"{page.path} links to {link}"


def links(text: str) -> Iterator[str]:
    """Where links and pictures point to, on this disk."""
    for token in MarkdownIt().enable("table").parse(text):
        for child in token.children or ():
            found = child.attrs.get("href") or child.attrs.get("src")
            if isinstance(found, str) and not found.startswith(OUTSIDE):
                yield found


def anchors(file: Path) -> set[str]:
    """The headings of a page, as the site and GitHub name them."""
    headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
