"""Every block of every page is looked at; so is every command and every setting that is named in a sentence."""

import contextlib
import re
from pathlib import Path

import pytest

from clawstream.cli.reference.sections import MODELS
from tests.deploy.test_monitoring import known
from tests.docs.blocks import Block, Page, all_blocks, page_of, pages
from tests.docs.checks import check
from tests.docs.commands import IncompleteError, NoCommandError, check_line

IDS = {"ids": str}
OURS = re.compile(r"clawstream [a-z]|make [a-z]|python -m (clawstream|benchmarks|examples|tests)\b")


@pytest.mark.parametrize("block", all_blocks(), **IDS)
def test_block(block: Block, tmp_path: Path) -> None:
    check(block, tmp_path)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.path)
def test_commands_in_sentences(page: Page) -> None:
    for span in page.spans:
        if OURS.match(span) and "…" not in span and "|" not in span:
            with contextlib.suppress(IncompleteError):
                check_line(span)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.path)
def test_settings_in_sentences(page: Page) -> None:
    for span in page.spans:
        named = re.fullmatch(r"([a-z]+)\.([a-z_0-9]+)( = .*)?", span)
        if named and named[1] in MODELS and named[2] not in ("toml", "py", "json"):
            assert named[2] in MODELS[named[1]].model_fields, f"{page.path} names {span}"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.path)
def test_metrics_in_sentences(page: Page) -> None:
    series = known()
    named = [span for span in page.spans if re.fullmatch(r"clawstream_\w+", span)]
    assert [name for name in named if not {name, f"{name}_total", f"{name}_count"} & series.keys()] == []


def block(language: str, text: str, before: str = "") -> Block:
    """The one block of a page that a test writes."""
    (found,) = page_of("page.md", f"{before}\n\n```{language}\n{text}\n```\n").blocks
    return found


@pytest.mark.parametrize(
    "line",
    [
        "clawstream tail steps --last 3 --json",
        "CLAWSTREAM_GATEWAY_PORT=8200 clawstream gateway --workers 2   # two",
        "clawstream --log-level DEBUG lag --watch 2",
        "torchrun --nproc-per-node 8 -m clawstream.cli.main train",
        "make demo KEEP=1",
        "docker compose --profile cpu up",
    ],
)
def test_commands_that_there_are(line: str, tmp_path: Path) -> None:
    check(block("sh", line), tmp_path)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("clawstream tial steps", "tial"),
        ("clawstream tail stepz", "stepz"),
        ("clawstream tail steps --lats 3", "--lats"),
        ("clawstream gateway --port eighty", "port .from flags."),
        ("CLAWSTREAM_GATEWAY_PROT=1 clawstream gateway", "unknown key prot"),
        ("make demonstration", "demonstration"),
        ("docker compose --profile tpu up", "tpu"),
        ("pip install clawstream[datasets]", "datasets"),
        ("python -m benchmarks.nothing", "benchmarks.nothing"),
        ("kubectl apply", "kubectl"),
    ],
)
def test_commands_that_there_are_not(line: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(NoCommandError, match=why):
        check(block("sh", line), tmp_path)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("toml", "[gateway]\nprot = 1"),
        ("toml", "[getaway]\nport = 1"),
        ('toml title="keys.toml"', "[acme]\nkeys = 3"),
        ("json", '{"a": }'),
        ("python", "def broken(:"),
        ("text", "clawstream up"),
        ("json5", "{a: 1}"),
        ("console", "clawstream up"),
        ("", "anything"),
        ("ruby", "puts 1"),
    ],
)
def test_blocks_that_are_wrong(language: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"."):
        check(block(language, text), tmp_path)


def test_what_is_not_run_says_why(tmp_path: Path) -> None:
    check(block("json5", "{a: 1}", "<!-- not run: a file of another program -->"), tmp_path)


def test_indented_blocks_are_found(tmp_path: Path) -> None:
    (found,) = page_of("page.md", "Text:\n\n    clawstream up\n").blocks
    with pytest.raises(ValueError, match="not indented"):
        check(found, tmp_path)
