"""Which request is another try of which call, and what is kept for it."""

import asyncio
from typing import Any

import pytest

from clawstream.gateway.callers.identity import identify, named_trajectory
from clawstream.gateway.calls.retries import Logical, Retries, in_own_trajectory, logical_call
from clawstream.gateway.calls.runs import Run
from clawstream.gateway.errors import ApiError

ROUTE = "/t/g/v1/chat/completions"
PATH = {"trajectory": "t", "group": "g"}


def logical(body: bytes = b"{}", path: Any = PATH, route: str = ROUTE, **headers: str) -> Logical | None:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    named = named_trajectory(path, sent) is not None
    return logical_call(route, body, sent, identify(path, sent), named=named)


def a_try(count: int, body: bytes = b"{}") -> Logical:
    found = logical(body, x_stainless_retry_count=str(count))
    assert found is not None
    return found


def keyed(key: str = "k", body: bytes = b"{}") -> Logical:
    found = logical(body, Idempotency_Key=key)
    assert found is not None
    return found


class Clock:
    """Seconds as a test wants them."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def retries(clock: Clock | None = None, max_bytes: int = 1 << 20) -> Retries:
    return Retries(max_bytes, 300.0, 0.0, clock or Clock())


async def answered(kept: Retries, call: Logical, answer: bytes = b"answer") -> Run:
    run = kept.begin(call)

    async def work() -> None:
        run.say(answer)

    with run.listener():
        await run.perform(work())
    kept.ended(call, run)
    return run


def test_a_retry_is_told_by_key_or_by_the_sdks_count_in_a_named_trajectory() -> None:
    assert logical() is None
    assert logical(path={}, x_stainless_retry_count="1") is None
    assert logical(path={}, Idempotency_Key="k") is not None
    assert a_try(0).name == a_try(1).name != a_try(0, b"[]").name
    assert keyed().name == keyed(body=b"[]").name != keyed("k2").name
    other = logical(path={"trajectory": "u", "group": "g"}, Idempotency_Key="k")
    assert other is not None
    assert other.name != keyed().name


async def test_a_key_joins_what_runs_and_gets_what_has_ended() -> None:
    kept = retries()
    run = kept.begin(keyed())
    assert kept.join(keyed()) is run
    assert kept.join(keyed("k2")) is None
    again = await answered(retries_with := retries(), keyed())
    assert retries_with.join(keyed()) is again


@pytest.mark.parametrize(("body", "route"), [(b"[]", ROUTE), (b"{}", "/t/g/v1/responses")])
async def test_a_key_with_another_request_is_refused(body: bytes, route: str) -> None:
    kept = retries()
    await answered(kept, keyed())
    other = logical(body, route=route, Idempotency_Key="k")
    assert other is not None
    with pytest.raises(ApiError, match="needs a key of its own") as refused:
        kept.join(other)
    assert (refused.value.status, refused.value.code) == (422, "idempotency_key_reused")


def test_equal_calls_side_by_side_each_get_their_own_retry() -> None:
    kept = retries()
    assert kept.join(a_try(0)) is None
    first = kept.begin(a_try(0))
    assert kept.join(a_try(0)) is None
    second = kept.begin(a_try(0))
    assert [kept.join(a_try(1)), kept.join(a_try(1)), kept.join(a_try(1))] == [first, second, None]
    assert [kept.join(a_try(2)), kept.join(a_try(2))] == [first, second]


async def test_answers_are_kept_for_their_time() -> None:
    clock = Clock()
    kept = retries(clock)
    await answered(kept, a_try(0))
    await answered(kept, keyed())
    clock.seconds = 9.0
    assert kept.join(a_try(1)) is not None
    clock.seconds = 11.0
    assert kept.join(a_try(2)) is None
    assert kept.join(keyed()) is not None
    clock.seconds = 301.0
    assert kept.join(keyed()) is None
    assert kept.byte_count == 0


async def test_failures_are_not_kept() -> None:
    kept, call = retries(), keyed()
    run = kept.begin(call)

    async def work() -> None:
        raise ApiError(503, "no node")

    await run.perform(work())
    kept.ended(call, run)
    assert kept.join(keyed(body=b"[]")) is None
    assert kept.byte_count == 0


async def test_what_is_kept_is_bounded_and_the_oldest_goes_first() -> None:
    kept = retries(max_bytes=100_000)  # half of it for keys
    for number in range(100):
        await answered(kept, keyed(str(number)), b"x" * 9_000)
        assert kept.byte_count <= 50_000
    assert kept.join(keyed("0")) is None
    assert kept.join(keyed("99")) is not None


async def test_a_running_call_that_grows_too_large_cannot_be_joined_any_more() -> None:
    kept = retries(max_bytes=20_000)
    run = kept.begin(keyed())
    with run.listener() as listener:
        for _ in range(5):
            run.say(b"x" * 4_000)
        assert kept.join(keyed()) is None
        assert len(await asyncio.wait_for(listener.next(), 1)) == 20_000
    assert kept.byte_count == 0


def test_nothing_is_kept_with_no_room() -> None:
    kept = retries(max_bytes=0)
    kept.begin(keyed())
    assert kept.join(keyed()) is None


def test_a_keyed_call_without_a_trajectory_has_the_same_one_at_every_try() -> None:
    first, again, other = (
        in_own_trajectory(identify({}, {"Idempotency-Key": "k"}), body) for body in (b"1", b"1", b"2")
    )
    assert first.trajectory_id == again.trajectory_id == first.group_id
    assert first.trajectory_id != other.trajectory_id
    grouped = identify({}, {"Idempotency-Key": "k", "X-ClawStream-Group": "g"})
    assert in_own_trajectory(grouped, b"1").group_id == "g"
