"""Killed at any act upon the disk, a trainer goes on to the very weights of an undisturbed run."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clawstream.streams.files.snapshots import weights_digest
from clawstream.trainer.versions.checkpoint import Checkpoints
from clawstream.trainer.versions.state import read_state
from tests.tiny_model import make_tiny_model

WINDOWS, POINTS = 2, 6
Run = Callable[[Path, int | None], str]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    model = make_tiny_model(tmp_path / "model")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.trainer.killed"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(tmp_path / "log").open("w"),
        text=True,
    )

    def ask(folder: Path, kill_at: int | None) -> str:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([str(model), str(folder), WINDOWS, kill_at]) + "\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    yield ask
    process.communicate()


def test_every_kill_ends_with_the_same_weights_and_offsets(run: Run, tmp_path: Path) -> None:
    acts = int(run(tmp_path / "whole", None))
    undisturbed = Checkpoints(tmp_path / "whole", 2)
    expected, offsets = weights_digest(undisturbed.path(WINDOWS)), {0: 4}
    assert read_state(undisturbed.path(WINDOWS)).next_offsets == offsets
    for kill_at in range(1, acts, max(1, acts // POINTS)):
        folder = tmp_path / f"killed-{kill_at}"
        assert run(folder, kill_at) == "killed"
        assert run(folder, None).isdigit(), (tmp_path / "log").read_text()[-2000:]
        state = read_state(Checkpoints(folder, 2).path(WINDOWS))
        assert state.report is not None
        assert state.weights.sha256 == expected, f"killed at act {kill_at} of {acts}"
        assert (state.next_offsets, state.report.sample_ids) == (offsets, ["sample-2", "sample-3"])
