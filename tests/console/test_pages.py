"""Every page, with scripts in every field: nothing runs, nothing is wrong, and everybody can use it."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, expect

from clawstream.schemas import NodeStatus, Rejection, Vote
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import FEEDBACK, NODES, REJECTED, REWARDS, SAMPLES, STEPS, TRAJECTORIES, UPDATES
from tests.builders import NOON, a_feedback, a_reward, a_sample, a_step, a_trajectory, an_update
from tests.console.conftest import Look
from tests.console.running import Watched, axe

pytestmark = pytest.mark.kafka
EVIL = "<script>window.hacked=1</script><img src=x onerror=window.hacked=2>{{window.hacked=3}}${window.hacked=4}\"'`"
PLACES = {
    "overview": "/",
    "trajectories": "/trajectories?group={id}",
    "conversation": "/trajectory?id={id}&step=evil-step",
    "tokens": "/trajectory?id={id}&tab=tokens",
    "rewards": "/trajectory?id={id}&tab=rewards",
    "timeline": "/trajectory?id={id}&tab=timeline",
    "review": "/review",
    "batch": "/batch",
    "updates": "/updates",
    "update": "/update?id=evil-update",
    "datasets": "/datasets",
    "letters": "/letters",
    "missing": "/trajectory?id=%3Cscript%3Ewindow.hacked%3D5%3C%2Fscript%3E",
    "search": "/trajectories?text=%3Cscript%3Ewindow.hacked%3D6%3C%2Fscript%3E&agent=%22%3E%3Cb%3E",
    "login": "/login?problem=%3Cscript%3Ewindow.hacked%3D7%3C%2Fscript%3E&next=%22%3E%3Cscript%3E",
}
DARK = ("overview", "trajectories", "conversation", "tokens", "timeline", "login")


@pytest.fixture(scope="module")
def evil(producer: Producer, topics: KafkaSettings) -> str:
    """A trajectory whose every text is a script; its name in a URL."""
    said: dict[str, Any] = {"trajectory_id": EVIL, "group_id": EVIL}
    call = {"id": EVIL, "type": "function", "function": {"name": EVIL, "arguments": EVIL}}
    message = {"role": EVIL, "content": [{"type": "text", "text": EVIL}, {"type": EVIL}], "tool_calls": [call]}
    step = a_step(
        **said,
        step_id="evil-step",
        agent=EVIL,
        channel=EVIL,
        new_messages_json=json.dumps([message]),
        text=EVIL,
        reasoning=EVIL,
        tool_calls_json=json.dumps([call]),
        node=EVIL,
        model=EVIL,
        finish_reason=EVIL,
        branch_reason=EVIL,
        trainable=False,
        untrainable_reason=EVIL,
    )
    vote = Vote(value=1.0, raw=EVIL)
    reward = a_reward(trajectory_id=EVIL, source=EVIL, votes=[vote], hint=EVIL, step_id="evil-step", kind="process")
    sample = a_sample(**said, sample_id="evil-sample", agent=EVIL, channel=EVIL, step_ids=["evil-step"])
    curated = a_feedback(
        "curated", **said, source=EVIL, detail_json=json.dumps({"note": EVIL, "tags": [EVIL], EVIL: EVIL})
    )
    update = replace(
        an_update(1, sample_ids=["evil-sample"]),
        update_id="evil-update",
        model=EVIL,
        algorithm=EVIL,
        objective=EVIL,
        metrics={EVIL: 1.0, f":{EVIL}": 2.0, "entropy": 1.0},
    )
    rejection = Rejection(
        rejection_id="evil",
        step_id="evil-step",
        tenant="default",
        channel=EVIL,
        reason=EVIL,
        detail=EVIL,
        at=NOON,
        **said,
    )
    node = NodeStatus(
        node=EVIL, url=EVIL, model=EVIL, version=1, health="ready", logprobs_mode=EVIL, max_model_len=9, at=NOON
    )
    pairs: list[tuple[Any, Any]] = [
        (STEPS, step),
        (STEPS, a_step(**said, received_at=NOON)),
        (FEEDBACK, curated),
        (REWARDS, reward),
        (REWARDS, a_reward(None, trajectory_id=EVIL, unscored=EVIL)),
        (TRAJECTORIES, a_trajectory(**said, agent=EVIL, closed_by=EVIL)),
        (SAMPLES, sample),
        (REJECTED, rejection),
        (UPDATES, update),
        (NODES, node),
    ]
    for topic, record in pairs:
        producer.send(topic, record).result(30)
    headers = {"topic": "steps", "partition": "0", "offset": "1", "reason": EVIL, "reader": EVIL}
    producer.send_bytes(topics.name("steps.dead"), EVIL.encode(), EVIL.encode(), headers).result(30)
    return quote(EVIL, safe="")


@pytest.fixture(scope="module")
def readers(look: Look, evil: str) -> Iterator[dict[str, Watched]]:
    """A reader on a telephone, who prefers dark, and one at a desk, who prefers light."""
    found = {"light": look(), "dark": look(width=390, scheme="dark")}
    yield found
    for watched in found.values():
        watched.page.context.close()


@pytest.mark.parametrize(
    ("scheme", "name"), [*(("light", name) for name in PLACES), *(("dark", name) for name in DARK)]
)
def test_nothing_is_wrong_with_a_page(readers: dict[str, Watched], evil: str, name: str, scheme: str) -> None:
    looking = readers[scheme]
    page = looking.page
    page.goto(PLACES[name].format(id=evil))
    expect(page.locator("main h1")).to_be_visible()
    if name not in ("missing", "login", "overview", "review", "search", "batch", "datasets"):
        expect(page.get_by_text("<script>window.hacked").first).to_be_attached()
    page.wait_for_timeout(150)
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it scrolls sideways"
    page.evaluate(f"(() => {{ const module = undefined, exports = undefined; {axe()} }})()")
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    serious = [
        (each["id"], [node["html"][:150] for node in each["nodes"][:3]])
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]
    assert serious == []
    assert looking.problems == []


def test_a_tenant_sees_its_own(look: Look, evil: str, producer: Producer) -> None:
    producer.send(STEPS, a_step(trajectory_id="theirs", tenant="acme", text="of acme alone")).result(30)
    looking = look("acme")
    page = looking.page
    page.goto("/trajectories")
    expect(page.get_by_role("link", name="theirs")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="trajectories")).to_have_count(0)
    expect(page.get_by_text("1 trajectory")).to_be_visible()
    page.goto(PLACES["conversation"].format(id=evil))
    expect(page.get_by_text("There is no such trajectory")).to_be_visible()
    page.goto("/update?id=evil-update")
    expect(page.get_by_text("0 of 1: others are another tenant's")).to_be_visible()
    page.goto("/letters")
    expect(page.get_by_text("Only operators see")).to_be_visible()
    page.goto("/datasets")
    expect(page.get_by_text("Only operators see")).to_be_visible()
    assert page.request.get("/dataset?name=sums/v1&path=manifest.json", max_redirects=0).status == 303
    assert page.request.get("/raw?topic=steps&id=evil-step").status == 404
    assert looking.problems == []
    page.context.close()


def test_nothing_is_shown_without_a_key(browser: Browser, console_url: str, keys: dict[str, str]) -> None:
    context = browser.new_context(base_url=console_url)
    page = context.new_page()
    assert context.request.get("/raw?topic=steps&id=evil-step", max_redirects=0).status == 303
    page.goto("/trajectories?status=open")
    page.get_by_label("API key").fill("cs-guessed")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("the gateway does not know this key")
    page.get_by_label("API key").fill(keys["acme"])
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url("/trajectories?status=open")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("API key")).to_be_visible()
    context.close()


def test_another_site_can_do_nothing(console_url: str, keys: dict[str, str]) -> None:
    elsewhere = {"Origin": "https://evil.example"}
    assert httpx.post(f"{console_url}/session", data={"key": keys["acme"]}, headers=elsewhere).status_code == 403
    assert httpx.get(console_url, headers={"Host": "evil.example"}).status_code == 403
