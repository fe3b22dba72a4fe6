"""A loop is watched: what came in, why it was rewarded as it was, what trained, whether it helped.

Its screenshots are those of README and docs: ``SCREENSHOTS=1 pytest tests/console/test_loop.py``.
"""

import pytest
from playwright.sync_api import expect
from tokenizers import Tokenizer

from clawstream.streams.writing.producer import Producer
from tests.console.a_loop import a_loop
from tests.console.conftest import Look
from tests.console.running import Watched, shot

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def loop(producer: Producer, tokenizer: Tokenizer) -> None:
    """The loop's records are in their topics."""
    for sent in [producer.send(topic, record) for topic, record in a_loop(tokenizer)]:
        sent.result(30)


def test_a_loop_is_watched(watched: Watched, loop: None) -> None:
    page = watched.page
    page.goto("/")
    expect(page.get_by_role("img", name="Reward, by version")).to_be_visible()
    expect(page.get_by_role("row", name="node-1")).to_contain_text("1 behind 5")
    expect(page.locator("svg").get_by_text("samples").first).to_be_visible()
    expect(page.get_by_text("The index is being built")).to_be_hidden()
    shot(page, "overview")
    page.get_by_role("link", name="Trajectories", exact=True).click()
    expect(page.get_by_role("link", name="sum-5-0-0")).to_be_visible()
    shot(page, "trajectories")
    page.goto("/updates")
    page.get_by_role("link", name="policy 3").click()
    expect(page.get_by_text("stale: 5 versions behind, at most 4 train")).to_be_visible()
    page.get_by_role("link", name="sum-2-0-1").click()
    expect(page.get_by_role("link", name="update 3")).to_be_visible()
    page.get_by_text("reasoning").first.click()
    expect(page.get_by_text("The calculator can tell.")).to_be_visible()
    expect(page.get_by_text('calc({"expression": "17 + 0"})')).to_be_visible()
    shot(page, "conversation")
    page.get_by_role("tab", name="Timeline").click()
    expect(page.get_by_text("trained in update 3")).to_be_visible()
    expect(page.get_by_text("at lag 0, with 7 samples")).to_be_visible()
    page.get_by_role("tab", name="Rewards").click()
    expect(page.get_by_text("The tool was called well.")).to_be_visible()
    page.get_by_role("tab", name="Tokens").click()
    page.locator("b.m1").nth(4).hover()
    shot(page, "tokens")


def test_a_dataset_is_built_and_downloaded(watched: Watched, loop: None) -> None:
    page = watched.page
    page.goto("/datasets")
    page.get_by_label("Name").fill("sums")
    page.get_by_label("Conditions").fill("agent=calculator")
    page.get_by_role("button", name="Build").click()
    row = page.get_by_role("row", name="sums")
    expect(row).to_contain_text("39", timeout=120_000)
    with page.expect_download() as downloading:
        row.get_by_role("link", name="parquet").first.click()
    assert downloading.value.path().read_bytes()[:4] == b"PAR1"
    for label in ("Before", "After"):
        page.get_by_label(label).click()
        page.get_by_role("option").first.click()
        expect(page.get_by_role("listbox")).to_have_count(0)
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("They are the same.")).to_be_visible(timeout=120_000)


def test_tokens_are_read_at_night(look: Look, loop: None) -> None:
    watched = look(scheme="dark")
    page = watched.page
    page.goto("/trajectory?id=sum-2-0-1&tab=timeline")
    expect(page.get_by_text("trained in update 3")).to_be_visible()
    shot(page, "dark")
    assert watched.problems == []
    page.context.close()
