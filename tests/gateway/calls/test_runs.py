"""A run and those who listen to it."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.gateway.calls.runs import Run
from clawstream.gateway.errors import ApiError, unavailable


def begin(run: Run, work: Any) -> "asyncio.Task[None]":
    return asyncio.create_task(run.perform(work))


async def listen(run: Run) -> bytes:
    with run.listener() as listener:
        return await listener.whole()


def keeping(grace_seconds: float = 0.0) -> Run:
    return Run(grace_seconds, grew=lambda _: None)


async def speaking(run: Run, pieces: list[bytes], pause: float = 0.0) -> None:
    for piece in pieces:
        run.say(piece)
        await asyncio.sleep(pause)
        await run.room()
    await run.commit()


@given(st.lists(st.binary(min_size=1, max_size=8), min_size=1, max_size=20), st.lists(st.integers(0, 25), max_size=6))
async def test_whoever_joins_whenever_hears_the_same(pieces: list[bytes], joins: list[int]) -> None:
    run = keeping(1.0)

    async def join(later: int) -> bytes:
        for _ in range(later):
            await asyncio.sleep(0)
        return await listen(run)

    said = begin(run, speaking(run, pieces))
    heard = await asyncio.gather(listen(run), *(join(later) for later in joins))
    await said
    assert set(heard) == {b"".join(pieces)}


@given(
    st.lists(st.binary(min_size=1, max_size=8), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), min_size=1, max_size=6),
    st.booleans(),
)
async def test_whoever_leaves_whenever_has_heard_a_beginning_and_nothing_hangs(
    pieces: list[bytes], stays: list[tuple[int, int]], kept: bool
) -> None:
    run = keeping() if kept else Run(0.0)
    committed: list[bool] = []

    async def work() -> None:
        await speaking(run, pieces)
        committed.append(True)

    async def stay(later: int, turns: int) -> bytes:
        for _ in range(later):
            await asyncio.sleep(0)
        with run.listener() as listener:
            return b"".join([await listener.next() for _ in range(turns)])

    said = begin(run, work())
    listeners = [(0, stays[0][1]), *(stays[1:] if kept else [])]
    found = await asyncio.gather(*(stay(*each) for each in listeners), return_exceptions=True)
    await asyncio.wait_for(said, 1)
    for heard in found:
        assert isinstance(heard, ApiError) or (isinstance(heard, bytes) and b"".join(pieces).startswith(heard))
    assert run.failed is not bool(committed)


async def test_a_run_that_nobody_can_join_is_given_up_with_its_listener() -> None:
    run = Run(5.0)
    work = begin(run, speaking(run, [b"a"] * 100, 1.0))
    listening = asyncio.create_task(listen(run))
    await asyncio.sleep(0.01)
    listening.cancel()
    await asyncio.wait_for(work, 1)
    assert run.failed


async def test_a_run_goes_on_for_those_who_are_left() -> None:
    run = keeping()
    work = begin(run, speaking(run, [b"a", b"b", b"c"], 0.02))
    first, second = asyncio.create_task(listen(run)), asyncio.create_task(listen(run))
    await asyncio.sleep(0.01)
    first.cancel()
    assert await second == b"abc"
    await work
    assert run.is_open


@pytest.mark.parametrize(("back_after", "survives"), [(0.05, True), (0.6, False)])
async def test_a_run_waits_for_another_try_for_its_grace_time(back_after: float, survives: bool) -> None:
    run = keeping(0.3)
    work = begin(run, speaking(run, [b"a", b"b"]))
    gone = asyncio.create_task(listen(run))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(back_after)
    assert run.is_open is survives
    if survives:
        assert await listen(run) == b"ab"
    await asyncio.wait_for(work, 1)


async def test_who_leaves_amid_an_answer_is_not_waited_for_where_no_such_retry_can_come() -> None:
    run = Run(5.0, lambda _: None, until_begun=True)
    work = begin(run, speaking(run, [b"a", b"b"], 1.0))
    with run.listener() as listener:
        await listener.next()
    await asyncio.wait_for(work, 0.5)
    assert run.failed


async def test_an_answer_that_nobody_heard_is_not_committed() -> None:
    run = keeping(0.1)
    committed = []

    async def work() -> None:
        run.say(b"a")
        await run.commit()
        committed.append(True)

    done = begin(run, work())
    with run.listener():
        await asyncio.sleep(0.05)
    await asyncio.wait_for(done, 1)
    assert (committed, run.failed) == ([], True)


async def test_a_committed_run_ends_without_listeners() -> None:
    run = keeping()

    async def work() -> None:
        await run.commit()
        await asyncio.sleep(0.05)
        run.say(b"all")

    done = begin(run, work())
    gone = asyncio.create_task(listen(run))
    await asyncio.sleep(0.01)
    gone.cancel()
    await done
    assert await listen(run) == b"all"


async def test_a_failure_reaches_every_listener() -> None:
    run = keeping()

    async def work() -> None:
        await asyncio.sleep(0)
        raise unavailable("no", "no_node")

    begin(run, work())
    heard = await asyncio.gather(listen(run), listen(run), return_exceptions=True)
    assert [type(each) for each in heard] == [ApiError, ApiError]
    assert not run.is_open


async def test_what_is_not_kept_goes_once_it_is_heard() -> None:
    run = Run(0.0)
    work = begin(run, speaking(run, [b"a" * 1000] * 50))
    with run.listener() as listener:
        while await listener.next():
            assert len(run._pieces) <= 2
    await work


async def test_an_answer_waits_for_a_slow_listener() -> None:
    run = Run(0.0)
    begin(run, speaking(run, [b"a" * 100_000] * 50))
    with run.listener() as listener:
        await asyncio.sleep(0.05)
        assert run.byte_count <= 500_000
        assert len(await listener.whole()) == 5_000_000
