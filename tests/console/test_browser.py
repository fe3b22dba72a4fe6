"""A person in front of a real browser."""

import httpx
import pytest
from playwright.sync_api import expect

from clawstream.schemas import PolicySpan, pack_logprobs
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import FEEDBACK, REJECTED, SAMPLES, STEPS
from tests.builders import a_step
from tests.console.running import Watched
from tests.processors.worker.test_worker import workers

pytestmark = pytest.mark.kafka


def test_a_trajectory_is_found_opened_and_a_token_looked_at(watched: Watched, producer: Producer) -> None:
    step = a_step(
        trajectory_id="walk",
        text="a walk in the park",
        prompt=[11, 12],
        response=[523, 524],
        response_logprobs=pack_logprobs([-0.25, -3.0]),
        policy_spans=[PolicySpan(version=3, start=0, end=2)],
    )
    producer.send(STEPS, step).result(30)
    page = watched.page
    page.goto("/trajectories")
    expect(page.get_by_role("link", name="walk")).to_be_visible()
    page.get_by_label("Search texts").fill('"walk in the park"')
    expect(page).to_have_url("/trajectories?text=%22walk+in+the+park%22")
    page.get_by_role("link", name="walk").click()
    expect(page.get_by_role("heading", name="walk")).to_be_visible()
    expect(page.get_by_text("a walk in the park")).to_be_visible()
    page.get_by_role("tab", name="Tokens").click()
    token = page.locator("[data-id='524']")
    token.hover()
    said = token.evaluate("element => getComputedStyle(element, '::after').content")
    assert "id 524" in said
    assert "log-probability -3.0000" in said
    assert "version 3" in said


def test_what_a_reviewer_rejects_does_not_train(
    watched: Watched, producer: Producer, topics: KafkaSettings, gateway_url: str, keys: dict[str, str]
) -> None:
    for name in ("good", "bad"):
        step = a_step(trajectory_id=name, group_id=name, step_id=f"step-{name}", text=f"a {name} answer")
        producer.send(STEPS, step).result(30)
    page = watched.page
    page.goto("/review")
    page.get_by_role("checkbox", name="Choose bad").click()
    page.get_by_role("button", name="Reject").click()
    page.get_by_role("button", name="Record").click()
    expect(page.get_by_role("alert")).to_have_text("Say who you are")
    page.get_by_label("Who are you?").fill("ana")
    page.get_by_role("button", name="Record").click()
    expect(page.get_by_role("alert")).to_have_text("Say why it must not train")
    page.get_by_label("Why").fill("wrong tool")
    page.get_by_role("button", name="Record").click()
    expect(page.get_by_role("checkbox", name="Choose bad")).to_have_count(0)
    expect(page.get_by_role("checkbox", name="Choose good")).to_be_visible()
    with workers(topics, group_size=1, tick_seconds=0.05):
        for name in ("good", "bad"):
            url, key = f"{gateway_url}/{name}/{name}/v1/complete_trajectory", keys["default"]
            httpx.post(url, json={"reward": 1.0}, headers={"Authorization": f"Bearer {key}"}).raise_for_status()
        page.goto("/trajectory?id=bad")
        expect(page.get_by_text("rejected: curated", exact=True)).to_be_visible(timeout=60_000)
        expect(page.get_by_text("rejected: curated, console/ana took it out")).to_be_visible()
        page.goto("/trajectory?id=good")
        expect(page.get_by_text("ready", exact=True)).to_be_visible(timeout=60_000)
    assert [each.step_id for each in read_all(topics, REJECTED) if each.step_id in ("step-good", "step-bad")] == [
        "step-bad"
    ]
    batch = [step_id for sample in read_all(topics, SAMPLES) for step_id in sample.step_ids]
    assert "step-good" in batch
    assert "step-bad" not in batch


def test_a_word_is_taken_back_by_another(watched: Watched, producer: Producer) -> None:
    producer.send(STEPS, a_step(trajectory_id="again", group_id="again")).result(30)
    page = watched.page
    page.goto("/trajectories")
    page.get_by_role("link", name="again").click()
    page.get_by_role("group", name="Decide about this trajectory").get_by_role("button", name="Reject").click()
    page.get_by_label("Who are you?").fill("ana")
    page.get_by_label("Why").fill("by mistake")
    page.get_by_role("button", name="Record").click()
    page.get_by_role("tab", name="Rewards").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("undoes")).to_be_visible()
    expect(page.get_by_text("accepted", exact=True)).to_be_visible()


def test_a_hint_to_a_step_is_recorded(watched: Watched, producer: Producer, topics: KafkaSettings) -> None:
    producer.send(STEPS, a_step(trajectory_id="hinted", group_id="hinted", step_id="hinted-1")).result(30)
    page = watched.page
    page.goto("/trajectories")
    page.get_by_role("link", name="hinted").click()
    page.get_by_role("button", name="Add hint").click()
    page.get_by_role("textbox", name="Hint").fill("use the tool")
    page.get_by_label("Who are you?").fill("ana")
    page.get_by_role("button", name="Record").click()
    expect(page.get_by_text("recorded")).to_be_visible()
    (said,) = [each for each in read_all(topics, FEEDBACK) if each.trajectory_id == "hinted"]
    assert (said.step_id, said.source, said.detail_json) == ("hinted-1", "console/ana", '{"hint":"use the tool"}')
