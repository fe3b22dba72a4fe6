"""Limits of tenants: as a rule, and against a whole gateway."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import RateLimitError

from clawstream.gateway.callers.keys import Limits, digest_of
from clawstream.gateway.callers.quotas import Bucket, Quotas
from clawstream.gateway.errors import ApiError
from clawstream.streams.settings import KafkaSettings
from tests.gateway.fake_node import DONE, FakeNode
from tests.gateway.harness import MESSAGES, gateway
from tests.gateway.samples import answer_data

TIMES = st.lists(st.floats(0, 30), max_size=60).map(sorted)


@given(TIMES, st.integers(1, 20))
def test_over_any_time_no_more_is_let_in_than_the_limit_and_once_the_limit(times: list[float], limit: int) -> None:
    bucket, let_in = Bucket(limit, 60.0, 0.0), []
    for now in times:
        if bucket.wait_seconds(now) == 0:
            bucket.take(1, now)
            let_in.append(now)
    for index, start in enumerate(let_in):
        for count, end in enumerate(let_in[index:], 1):
            assert count <= limit + (end - start) * limit / 60 + 1e-6


@given(st.integers(1, 100), st.floats(0, 1000))
def test_who_waits_as_told_is_let_in(limit: int, used: float) -> None:
    bucket = Bucket(limit, 60.0, 0.0)
    bucket.take(used, 0.0)
    wait = bucket.wait_seconds(0.0)
    assert bucket.wait_seconds(wait + 1e-6) == 0


def quotas(now: list[float], workers: int = 1, **limits: int) -> Quotas:
    return Quotas(lambda tenant: Limits(**limits) if tenant == "a" else Limits(), workers, lambda: now[0])


def test_requests_over_the_limit_are_told_when_to_come_back() -> None:
    now = [0.0]
    found = quotas(now, requests_per_minute=2)
    found.request("a")
    found.request("a")
    with pytest.raises(ApiError, match=r"tenant a may use 2 requests per minute; its limit is requests_per") as refused:
        found.request("a")
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "30")
    found.request("b")
    now[0] = 30.0
    found.request("a")


def test_tokens_are_taken_off_afterwards_also_below_zero() -> None:
    now = [0.0]
    found = quotas(now, tokens_per_minute=60, tokens_per_day=100)
    found.check_tokens("a")
    found.charge("a", 90)
    with pytest.raises(ApiError, match="tokens_per_minute") as refused:
        found.check_tokens("a")
    assert refused.value.retry_after_seconds == 31
    now[0] = 31.0
    found.check_tokens("a")
    found.charge("a", 20)
    with pytest.raises(ApiError, match="tokens_per_day"):
        found.check_tokens("a")


def test_each_worker_has_its_share() -> None:
    found = quotas([0.0], workers=4, calls_in_flight=6, requests_per_minute=3)
    found.enter("a")
    found.enter("a")
    with pytest.raises(ApiError, match="2 calls"):
        found.enter("a")
    found.leave("a")
    found.enter("a")
    found.request("a")
    with pytest.raises(ApiError):
        found.request("a")


def test_a_limit_that_is_changed_counts_at_once() -> None:
    limits = [Limits(requests_per_minute=1)]
    found = Quotas(lambda _: limits[0], 1, lambda: 0.0)
    found.request("a")
    limits[0] = Limits(requests_per_minute=2)
    found.request("a")
    found.request("a")
    with pytest.raises(ApiError, match="requests_per_minute"):
        found.request("a")


@pytest.mark.kafka
async def test_a_tenant_over_its_limits_gets_429_and_others_do_not(kafka: KafkaSettings, tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(
        f'[flight]\nkeys = ["{digest_of("f")}"]\ncalls_in_flight = 1\n'
        f'[tokens]\nkeys = ["{digest_of("t")}"]\ntokens_per_day = 6\n'
        f'[free]\nkeys = ["{digest_of("x")}"]\n'
    )
    node = FakeNode(script=lambda _: [0.3, *answer_data([1, 2, 3], [10, 11]), DONE])
    async with gateway(kafka, node, keys_file=file) as client:

        async def statuses(key: str, count: int) -> list[int]:
            headers = {"Authorization": f"Bearer {key}"}
            return sorted(s for s, *_ in await asyncio.gather(*(client.chat("/v1", headers) for _ in range(count))))

        assert await asyncio.gather(statuses("f", 3), statuses("x", 3)) == [[200, 429, 429], [200] * 3]
        assert [await statuses("t", 1) for _ in range(3)] == [[200], [200], [429]]  # 5 tokens each
        openai = client.openai("own")
        openai.api_key = "t"
        with pytest.raises(RateLimitError, match="its limit is tokens_per_day") as refused:
            await openai.chat.completions.create(model="x", messages=MESSAGES)
        assert int(refused.value.response.headers["Retry-After"]) > 1000
        async with client.http.get(f"{client.url}/metrics") as answer:
            shown = await answer.text()
        assert 'clawstream_gateway_tenant_refused_total{limit="calls_in_flight",tenant="flight"} 2.0' in shown
        assert 'clawstream_gateway_tenant_tokens_total{tenant="tokens"} 10.0' in shown
        assert not client.gateway.in_flight
