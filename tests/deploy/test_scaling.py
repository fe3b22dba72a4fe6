"""docs/scaling.md shows what the arithmetic says of the committed measurements."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_table_is_the_programs() -> None:
    command = [sys.executable, "-m", "benchmarks.scaling"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert printed.count("|") > 20
    assert printed.strip() in (ROOT / "docs/scaling.md").read_text()
