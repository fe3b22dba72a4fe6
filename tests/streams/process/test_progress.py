import io

import pytest
from rich.console import Console

from clawstream.streams.process import progress


def test_a_bar_on_a_terminal() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with progress.shown(console) as watch:
        watch("reading", 5, 10)
        watch("writing", 1, 3)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "reading" in shown
    assert "5/10" in shown
    assert "1/3" in shown


def test_lines_elsewhere_and_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO())
    with progress.shown(console) as watch:
        watch("reading", 1, 10)
        monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
        watch("reading", 5, 10)
    assert console.file.getvalue() == "reading: 5 of 10\n"  # type: ignore[attr-defined]
