"""The code blocks of the documentation.

Invariant: every block is here, fenced or indented, so what no test knows how to check cannot hide. A page says::

    ```python title="my_rewards.py"          a file, for the blocks that follow
    <!-- not run: needs two GPUs -->         before a block that cannot run here, and why
"""

import re
import shlex
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
INDENTED = "indented"
_NOT_RUN = re.compile(r"<!-- not run: (\S.*?) -->\s*")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One code block."""

    page: str  # path from the top of the repository
    line: int  # of the block's first line
    language: str  # empty where none is named
    text: str
    title: str | None = None  # name of the file that it is
    not_run: str | None = None  # why it cannot run here

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(kw_only=True)
class Page:
    """A page, its blocks in order, and what stands in backticks in its text."""

    path: str
    blocks: list[Block] = field(default_factory=list)
    spans: list[str] = field(default_factory=list)


@cache
def pages() -> tuple[Page, ...]:
    """Everything that people read."""
    folders = (ROOT / "examples", DOCS)
    files = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(file for top in folders for file in sorted(top.rglob("*.md"))),
    ]
    return tuple(page_of(str(file.relative_to(ROOT)), file.read_text()) for file in files)


def all_blocks() -> list[Block]:
    """The blocks of all pages."""
    return [block for page in pages() for block in page.blocks]


def page_of(path: str, text: str) -> Page:
    """What ``text`` holds."""
    page, before = Page(path=path), None
    for token in MarkdownIt().enable("table").parse(text):
        if token.type in ("fence", "code_block"):
            page.blocks.append(_block(path, token, before))
        page.spans += [child.content for child in token.children or () if child.type == "code_inline"]
        before = token
    return page


def _block(path: str, token: Token, before: Token | None) -> Block:
    language, *attributes = shlex.split(token.info) or [""]
    if token.type == "code_block":
        language = INDENTED
    named = dict(each.split("=", 1) for each in attributes)
    said = _NOT_RUN.fullmatch(before.content) if before is not None and before.type == "html_block" else None
    return Block(
        page=path,
        line=(token.map or [0])[0] + 1,
        language=language,
        text=token.content,
        title=named.get("title"),
        not_run=said[1] if said else None,
    )
