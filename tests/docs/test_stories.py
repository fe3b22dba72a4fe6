"""What the pages show is run as it stands, and prints what they say that it prints."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawstream.streams.settings import KafkaSettings
from tests.dataset.log import groups, write
from tests.docs.blocks import Page, page_of, pages
from tests.docs.places import BROKER, URL, kafka_environment, running_gateway
from tests.docs.running import Place, is_run, run_page

AROUND = {
    "README.md": "calls",
    "docs/agents.md": "calls",
    "docs/data.md": "calls",
    "docs/datasets.md": "log",
    "docs/gateway.md": "calls",
    "docs/getting-started.md": "calls",
    "docs/lag.md": "calls",
    "docs/migration/claw-r1.md": "calls",
    "docs/migration/openclaw-rl.md": "calls",
    "docs/replay.md": "log",
}  # every other page finds nothing


@pytest.fixture
def nothing(tmp_path: Path) -> Place:
    """An empty folder."""
    return Place(folder=tmp_path)


@pytest.fixture
def log(kafka: KafkaSettings, tmp_path: Path) -> Place:
    """A log of six groups of two."""
    write(kafka, groups(6))
    own = {"CLAWSTREAM_PROCESSORS_GROUP_SIZE": "2", "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    return Place(folder=tmp_path, environment=kafka_environment(kafka) | own)


@pytest.fixture
def calls(kafka: KafkaSettings, tmp_path: Path) -> Iterator[Place]:
    """A gateway that answers."""
    with running_gateway(kafka) as url:
        own = {"CLAWSTREAM_AGENTS_BASE_URL": url, "CLAWSTREAM_CONSOLE_GATEWAY_URL": url}
        read_as = {URL: url, BROKER: kafka.bootstrap_servers, 'TOPIC = "': f'TOPIC = "{kafka.topic_prefix}'}
        yield Place(folder=tmp_path, environment=kafka_environment(kafka) | own, read_as=read_as)


@pytest.fixture(autouse=True)
def modules() -> Iterator[None]:
    """The files of one page are none of another's."""
    before = set(sys.modules)
    yield
    for name in sys.modules.keys() - before:
        if getattr(sys.modules[name], "__file__", None) and "/pytest-" in str(sys.modules[name].__file__):
            del sys.modules[name]


STORIES = [
    pytest.param(page, id=page.path, marks=[pytest.mark.kafka] if page.path in AROUND else [])
    for page in pages()
    if any(map(is_run, page.blocks))
]


@pytest.mark.parametrize("page", STORIES)
def test_page(page: Page, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    place: Place = request.getfixturevalue(AROUND.get(page.path, "nothing"))
    run_page(page.blocks, place, monkeypatch)


@pytest.mark.parametrize(
    "text",
    [
        "```python\nassert 1 + 1 == 3\n```",
        '```python\nprint(2)\n```\n\n```text title="prints"\n3\n```',
        "```python\ndef test_it():\n    assert False\n```",
        "```console\n$ clawstream key acme\n# another key\n```",
        "```console\n$ clawstream key acme || true\n…\n```",
    ],
)
def test_what_is_not_so_is_found(text: str, nothing: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError):
        run_page(page_of("page.md", text).blocks, nothing, monkeypatch)


def test_a_page_goes_on_in_one_folder(nothing: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        '```python title="mine.py"\nTWO = 2\n```\n\n'
        '```python\nfrom mine import TWO\nprint(TWO)\nprint("at", 9)\n```\n\n'
        '```text title="prints"\n2\nat …\n```\n\n```console\n$ clawstream key acme\n# key: …\n[acme]\nkeys = […]\n```\n'
    )
    run_page(page_of("page.md", text).blocks, nothing, monkeypatch)
