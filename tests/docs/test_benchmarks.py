"""docs/benchmarks.md shows what the committed results say, and every program that ``make bench`` runs."""

import re
import subprocess

import pytest

from benchmarks.figures import TOLD, rows
from benchmarks.report import RESULTS
from tests.docs.blocks import DOCS, ROOT

TEXT = (DOCS / "benchmarks.md").read_text()


def test_the_table_is_that_of_the_results() -> None:
    shown = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", TEXT, re.MULTILINE)
    assert shown == list(rows()), "put what python -m benchmarks.figures prints into docs/benchmarks.md"


def test_every_result_has_figures() -> None:
    elsewhere = {"queueing"}  # docs/scaling.md
    assert {file.stem for file in RESULTS.glob("*.json")} == TOLD.keys() | elsewhere


def test_make_bench_runs_what_is_described() -> None:
    asked = subprocess.run(["make", "-n", "bench"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (loop,) = [line for line in asked.splitlines() if line.startswith("for program")]
    echoed = re.sub(r"do \S+ -m benchmarks\.\$program", "do echo $program", loop)
    run = subprocess.run(["bash", "-euc", echoed], capture_output=True, text=True, check=True).stdout.split()
    described = re.findall(r"^\| `(\w+)` \| [^|]* \|$", TEXT, re.MULTILINE)
    assert set(run) == set(described) - {"scaling"}
    assert all((ROOT / f"benchmarks/{program}.py").exists() for program in described)


@pytest.mark.parametrize("target", ["demo", "test", "lint", "docs", "bench", "format", "lock", "clean"])
def test_recipes_are_shell(target: str) -> None:
    told = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    subprocess.run(["bash", "-n"], input=told, text=True, check=True)
