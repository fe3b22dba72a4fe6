"""The worked example and its own tests, as a user runs them."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[3] / "examples" / "rewards"


def test_the_examples_tests_pass() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", EXAMPLE, EXAMPLE]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=EXAMPLE)
    assert ran.returncode == 0, ran.stdout
    assert "3 passed" in ran.stdout
