"""What an update costs, and what waiting costs.

    python -m benchmarks.trainer [--turns 2]

1. CPU seconds (one thread) of one update (GRPO, one optimiser step) against plain Hugging Face and torch: same weights,
   batch, objective, optimiser and token budget, in turns; plain code takes each step as a padded row of its own (a row
   for each model call) or each sequence as a row. Tokens per second count a unique token once, whoever computes it.
   Where TRL is installed, its GRPO trainer takes the same rows.
2. A simulation: asynchronous against synchronous schedule on a trace of generation times with a long tail.
"""

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.plain_update import PlainTrainer
from benchmarks.report import publish
from benchmarks.schedules import speedups
from benchmarks.traces import Shape, window_of
from benchmarks.trl_update import TrlTrainer
from clawstream.schemas import Sample
from clawstream.trainer.batches.batch import collate
from clawstream.trainer.models.engine import start_ranks
from clawstream.trainer.models.learners import load_learners
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.updates.update import update

SHAPES = (
    Shape(name="single answers", trajectories=16, steps=1, prompt=96, answer=(16, 256), result=0, branches=0),
    Shape(name="8 steps each", trajectories=4, steps=8, prompt=96, answer=(16, 64), result=24, branches=0),
    Shape(name="8 steps, 2 branches", trajectories=2, steps=8, prompt=96, answer=(16, 64), result=24, branches=2),
)
BUDGET_TOKENS, VOCABULARY = 2048, 4096
HAS_TRL = importlib.util.find_spec("trl") is not None


@dataclass(frozen=True, kw_only=True)
class Compared:
    """CPU seconds of an update, median of turns."""

    shape: str
    unique_tokens: int
    step_tokens: int  # of every step's prompt and answer
    ours: float
    plain_sequences: float
    plain_steps: float
    trl_sequences: float | None = None
    trl_steps: float | None = None


def make_model(folder: Path) -> Path:
    """A Qwen2 of 1.1 M parameters with random weights."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


def compare(folder: Path, shape: Shape, turns: int) -> Compared:
    """One update of each kind in turns, from the same weights on the same window."""
    settings = TrainerSettings(model=folder, max_micro_batch_tokens=BUDGET_TOKENS, minibatches=1, learning_rate=1e-6)
    samples = window_of(shape, VOCABULARY)
    learners = load_learners(settings, folder, folder)
    plain, trl = PlainTrainer(folder, settings), TrlTrainer(folder, settings) if HAS_TRL else None
    ways: dict[str, Callable[[], Any]] = {
        "ours": lambda: update(learners, samples, 0, settings),
        "plain_sequences": lambda: plain.update(samples, by_step=False),
        "plain_steps": lambda: plain.update(samples, by_step=True),
    }
    if trl is not None:
        ways |= {
            "trl_sequences": lambda: trl.update(samples, by_step=False),
            "trl_steps": lambda: trl.update(samples, by_step=True),
        }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, way in ways.items():
            started = time.process_time()
            way()
            if turn:  # the first is for warming up
                seconds[name].append(time.process_time() - started)
    tree, unpacked = _tokens(samples)
    return Compared(
        shape=shape.name,
        unique_tokens=tree,
        step_tokens=unpacked,
        **{name: statistics.median(found) for name, found in seconds.items()},
    )


def _tokens(samples: list[Sample]) -> tuple[int, int]:
    sizes = int(collate(samples).sizes.sum())
    return sizes, sum(span.end for sample in samples for each in sample.sequences for span in each.responses)


def rows_of(found: list[Compared]) -> list[tuple[str, str]]:
    """What is printed of the comparison."""
    rows = []
    for each in found:
        rate, once = each.unique_tokens / each.ours, each.step_tokens / each.unique_tokens
        rows += [
            (f"{each.shape}: unique tokens per CPU second", f"{rate:,.0f}"),
            (f"{each.shape}: tokens of all model calls per unique token", f"{once:.2f}, computed 1.00"),
        ]
        beside = {
            "plain, a row per sequence": each.plain_sequences,
            "plain, a row per model call": each.plain_steps,
            "TRL, a row per sequence": each.trl_sequences,
            "TRL, a row per model call": each.trl_steps,
        }
        rows += [
            (f"{each.shape}: times faster than {other}", f"{seconds / each.ours:.2f}")
            for other, seconds in beside.items()
            if seconds is not None
        ]
    return rows


def main() -> None:
    """Run both, print and write them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    start_ranks()
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(Path(folder))
        compared = [compare(model, shape, arguments.turns) for shape in SHAPES]
    rows = rows_of(compared)
    raw: dict[str, Any] = {"update": [asdict(each) for each in compared], "schedule_simulated": speedups()}
    rows += [
        (f"simulated: asynchronous with {lag}, times as fast as synchronous", f"{ratio:.2f}")
        for lag, ratio in raw["schedule_simulated"].items()
    ]
    publish("trainer", rows, raw)


if __name__ == "__main__":
    main()
