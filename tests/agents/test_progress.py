"""What is seen of a run while it goes on."""

import io

import pytest
from rich.console import Console

from clawstream.agents import progress
from clawstream.agents.progress import showing, state_of
from clawstream.agents.tally import Tally
from tests.gateway.harness import until


async def shown(console: Console, stream: io.StringIO) -> str:
    tally = Tally(tasks=2, rollouts=2)
    async with showing(console, "Sums", tally):
        for _ in range(3):
            tally.begins()
            tally.opens()
        tally.completes("g", 0.5)
        tally.fails("g", "ValueError: [bold]no[/bold]")
        tally.begins()
        await until(lambda: "failed: ValueError" in stream.getvalue())
        tally.fails("g", "late")
    return stream.getvalue()


def test_the_state_is_one_line() -> None:
    tally = Tally(tasks=1, rollouts=3)
    assert state_of(tally) == "open 0  failed 0"
    tally.begins()
    tally.opens()
    tally.completes("g", 0.25)
    tally.begins()
    assert state_of(tally) == "mean reward 0.250  open 0  waiting 1  failed 0"


async def test_a_terminal_has_a_bar_and_the_first_reasons_above_it() -> None:
    stream = io.StringIO()
    said = await shown(Console(file=stream, force_terminal=True, width=120, color_system=None), stream)
    assert "failed: ValueError: [bold]no[/bold]\n" in said
    assert "3/4 mean reward 0.500  open 0  waiting 1  failed 2" in said
    assert said.index("failed: ValueError") < said.index("failed: late")


async def test_elsewhere_there_are_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    stream = io.StringIO()
    lines = (await shown(Console(file=stream, width=40), stream)).splitlines()
    assert lines[:2] == [
        "Sums: 2 of 4  mean reward 0.500  open 1  waiting 1  failed 1",
        "failed: ValueError: [bold]no[/bold]",
    ]
    assert lines[-2:] == ["Sums: 3 of 4  mean reward 0.500  open 0  waiting 1  failed 2", "failed: late"]
