"""A policy learns its user's taste through the whole loop:

    python -m examples.personal [--method combined] [--likes plain] [--seed 0]

Everything is real but the people: gateway, Kafka, processors, trainer and a vLLM node run as processes; simulated users
talk to a tiny model, and a judge by rules stands behind OpenAI's protocol. See README.md beside this file.
"""

import argparse
import asyncio
from pathlib import Path
from typing import get_args

from rich.console import Console

from clawstream.streams.settings import KafkaSettings
from examples.personal.judge import Judge, judging
from examples.personal.model import make_base
from examples.personal.run import learn
from examples.personal.stage import Method, configuration, stage
from examples.personal.styles import STYLES
from examples.personal.users import User

_NOISE = 0.1


async def main(arguments: argparse.Namespace, base: Path, console: Console) -> None:
    """Run, and say how it went."""
    async with judging(Judge(_NOISE, arguments.seed)) as judge_url:
        sections = configuration(arguments.method, arguments.seed, judge_url)
        console.print(f"Starting Kafka, a vLLM node, gateway, processors and trainer; log: {arguments.folder}/log")
        async with stage(arguments.folder, base, KafkaSettings(), sections) as running:
            user = User(gateway_url=running.gateway_url, likes=arguments.likes)
            for score in await learn(running, user, arguments.seed):
                console.print(
                    f"after {score.interactions:>2} interactions ({score.steps} answers judged): {score.liked:.0%} of "
                    f"first answers liked, version {score.version}"
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=get_args(Method), default="combined")
    parser.add_argument("--likes", choices=STYLES, default="plain")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("runs/personal"))
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    made = make_base(given.folder / f"base-{given.seed}", seed=given.seed)  # before the event loop
    asyncio.run(main(given, made, Console()))
