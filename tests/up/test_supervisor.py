import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass

from clawstream.streams.process.ending import FOR_GOOD
from clawstream.up.processes import Process
from clawstream.up.supervisor import Supervisor

Lines = list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Script(Process):
    """A process that runs Python source, for tests."""

    source: str

    @property
    def argv(self) -> tuple[str, ...]:
        return (sys.executable, "-c", self.source)


def script(source: str) -> Script:
    return Script(name="it", arguments=(), source=source)


async def until(condition: Callable[[], object]) -> None:
    for _ in range(2400):
        if condition():
            return
        await asyncio.sleep(0.025)
    raise AssertionError("the condition did not come true in 60 s")


async def test_lines_are_passed_on_under_their_name() -> None:
    lines: Lines = []
    supervisor = Supervisor(lambda name, line: lines.append((name, line)))
    supervisor.start(script("print('hello'); import time; time.sleep(60)"))
    await until(lambda: ("it", "hello") in lines)
    await supervisor.stop()
    assert supervisor.pid("it") is None
    assert supervisor.restarts == {"it": 0}


async def test_a_crashed_process_is_restarted_and_says_so() -> None:
    lines: Lines = []
    supervisor = Supervisor(lambda name, line: lines.append((name, line)))
    supervisor.start(script("print('up', flush=True); import time; time.sleep(60)"))
    await until(lambda: ("it", "up") in lines)
    first = supervisor.pid("it")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: lines.count(("it", "up")) == 2)
    assert supervisor.pid("it") != first
    assert supervisor.restarts == {"it": 1}
    assert any("killed by SIGKILL after 0 s; starting it again in 1 s" in line for _, line in lines)
    await supervisor.stop()


async def test_one_that_ignores_the_stop_is_killed() -> None:
    lines: Lines = []
    supervisor = Supervisor(lambda name, line: lines.append((name, line)), stop_seconds=0.3)
    source = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    supervisor.start(script(source))
    await until(lambda: ("it", "deaf") in lines)
    await supervisor.stop()
    assert ("it", "did not stop within 0.3 s; killed") in lines


async def test_one_that_says_that_it_would_end_again_stays_ended_and_says_so_once() -> None:
    lines: Lines = []
    supervisor = Supervisor(lambda name, line: lines.append((name, line)))
    supervisor.start(script(f"print('it was retired'); raise SystemExit({FOR_GOOD})"))
    await until(lambda: any("it is not started again, see above" in line for _, line in lines))
    await asyncio.sleep(1.2)  # longer than the first pause
    assert [line for _, line in lines] == [
        "it was retired",
        f"exited with status {FOR_GOOD} after 0 s; it is not started again, see above",
    ]
    assert (supervisor.pid("it"), supervisor.restarts) == (None, {"it": 0})
    await supervisor.stop()
