"""A flow's thread and the event loop that makes its calls."""

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest

from clawstream.agents.calls import Call, models
from clawstream.agents.errors import EndedError
from clawstream.agents.threads import Bridge, in_thread


async def test_calls_are_made_on_the_loop_and_work_in_a_thread() -> None:
    main = threading.get_ident()

    async def send(call: Call[Any]) -> Any:
        await asyncio.sleep(0)
        return call.path, threading.get_ident() == main

    bridge = Bridge(send)
    assert await in_thread(lambda: (bridge(models()), threading.get_ident() == main)) == (("/v1/models", True), False)


async def test_a_stopped_bridge_ends_the_call_under_way_and_refuses_others() -> None:
    cancelled, begun = asyncio.Event(), asyncio.Event()

    async def send(_: Call[Any]) -> Any:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    bridge = Bridge(send)
    working = asyncio.create_task(in_thread(lambda: bridge(models())))
    await begun.wait()
    bridge.stop()
    with pytest.raises(EndedError, match="this rollout was given up"):
        await working
    await asyncio.wait_for(cancelled.wait(), 5)
    with pytest.raises(EndedError, match="it can make no more calls"):
        bridge(models())


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit("bye"), GeneratorExit()])
async def test_whatever_the_work_raises_is_raised(error: BaseException) -> None:
    def work() -> None:
        raise error

    with pytest.raises(type(error)):
        await in_thread(work)


def test_work_that_never_ends_keeps_no_process_alive() -> None:
    source = """
import asyncio, time
from clawstream.agents.threads import in_thread
async def main():
    try:
        async with asyncio.timeout(0.2):
            await in_thread(lambda: time.sleep(60))
    except TimeoutError:
        print("on")
asyncio.run(main())
"""
    assert subprocess.check_output([sys.executable, "-c", source], text=True, timeout=20) == "on\n"
