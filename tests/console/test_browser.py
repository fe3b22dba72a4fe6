"""A person in front of a real browser."""

import pytest
from playwright.sync_api import expect

from clawstream.schemas import PolicySpan, pack_logprobs
from clawstream.streams.producer import Producer
from clawstream.topics import STEPS
from tests.builders import a_step
from tests.console.running import Watched

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
