"""Policies learn their users' taste through the whole loop:

    python -m examples.personal [--likes plain warm] [--method combined] [--seed 0]

Each taste is a tenant of its own with a LoRA adapter of its own; one vLLM serves them all. Everything is real but the
people. See README.md beside this file.
"""

import argparse
import asyncio
from pathlib import Path
from typing import get_args

from rich.console import Console

from clawstream.streams.settings import KafkaSettings, load
from examples.personal.judge import Judge, judging
from examples.personal.learners import NOISE, Learner, Method
from examples.personal.model import make_base
from examples.personal.run import learn
from examples.personal.stage import stage
from examples.personal.styles import STYLES


async def main(learners: list[Learner], seed: int, folder: Path, base: Path, console: Console) -> None:
    """Run, and say how it went."""
    async with judging(Judge(NOISE, seed)) as judge_url:
        console.print(f"Starting Kafka, a vLLM node, gateway, processors, trainers; log: {folder / 'log'}")
        async with stage(folder, base, load(KafkaSettings), learners, judge_url, seed) as running:
            runs = await asyncio.gather(*(learn(running, each, seed) for each in learners))
    for learner, scores in zip(learners, runs, strict=True):
        for score in scores:
            console.print(
                f"{learner.tenant}, after {score.interactions:>2} interactions ({score.steps} answers judged): "
                f"{score.liked:.0%} of first answers liked, version {score.version}"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--likes", choices=STYLES, nargs="+", default=["plain", "warm"])
    parser.add_argument("--method", choices=get_args(Method), default="combined")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("runs/personal"))
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    made = make_base(given.folder / f"base-{given.seed}", seed=given.seed)  # before the event loop
    who = [Learner(tenant=f"likes-{each}", likes=each, method=given.method) for each in given.likes]
    asyncio.run(main(who, given.seed, given.folder, made, Console()))
