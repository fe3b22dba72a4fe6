"""Several ranks train what one would: every ZeRO stage, adapters, and going on after a stop."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from clawstream.trainer.settings import TrainerSettings
from tests.tiny_model import make_tiny_model

Run = Callable[..., dict[str, torch.Tensor]]
WINDOWS = 2


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    root = tmp_path_factory.mktemp("ranks")
    model, log = make_tiny_model(root / "model"), root / "log"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.trainer.two_ranks"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log.open("w"),
        text=True,
    )
    runs = 0

    def ask(ranks: int, windows: int = WINDOWS, folder: Path | None = None, **fields: Any) -> dict[str, torch.Tensor]:
        """Train in ``folder`` up to version ``windows``; the newest snapshot's weights."""
        nonlocal runs
        runs += 1
        assert process.stdin is not None
        assert process.stdout is not None
        folder = folder or root / str(runs)
        settings = TrainerSettings(
            model=model, output_dir=folder, learning_rate=1e-3, max_micro_batch_tokens=12, **fields
        )
        process.stdin.write(json.dumps([settings.model_dump_json(), ranks, windows]) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == [0] * ranks, log.read_text()[-3000:]
        return load_file(folder / f"version-{windows:06d}" / "model.safetensors")

    yield ask
    process.communicate()


def distance(some: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> float:
    """Mean absolute difference; a rounding error of a vanishing gradient is large after Adam, so not the largest."""
    assert some.keys() == others.keys()
    return float(torch.cat([(some[name] - others[name]).flatten() for name in some]).abs().mean())


@pytest.fixture(scope="module")
def alone(run: Run) -> dict[str, torch.Tensor]:
    """The weights that one rank ends with."""
    return run(1)


SAME = 2e-6  # a step moves a weight by about 1e-3


def test_two_ranks_end_with_the_weights_of_one(run: Run, alone: dict[str, torch.Tensor]) -> None:
    assert distance(run(2, zero_stage=2), alone) < SAME


def test_sharded_weights_and_recomputed_activations_change_nothing_nor_does_a_stop(
    run: Run, alone: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    sharded = {"zero_stage": 3, "gradient_checkpointing": True}
    run(2, windows=1, folder=tmp_path, **sharded)
    assert distance(run(2, folder=tmp_path, **sharded), alone) < SAME


def test_adapters_are_published_merged_and_go_on_where_they_stopped(run: Run, tmp_path: Path) -> None:
    whole = run(1, lora_rank=4)
    run(1, windows=1, folder=tmp_path, lora_rank=4)
    resumed = run(1, folder=tmp_path, lora_rank=4)
    initial = load_file(tmp_path / "version-000000" / "model.safetensors")
    assert whole.keys() == initial.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    moved = {name for name in whole if not torch.equal(whole[name], initial[name])}
    assert moved
    assert all(name.endswith("proj.weight") for name in moved)
