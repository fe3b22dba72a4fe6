"""Personal learning, method by method, and tenants with opposite tastes: OpenClaw-RL's scenario on the real loop.

    python -m benchmarks.personal [--seeds 0 1 2 3 4]

For each seed (of users, judge, adapters and updates; the base is one) five tenants learn side by side at one vLLM,
each with a LoRA adapter and a trainer of its own: three methods and a control with hints for another style, all for
users who like ``plain``; and one for users who like ``warm``. Settings were chosen on other seeds (100 to 113). A run
that was cut short goes on after the seeds that are done, as long as the code is the same. See
examples/personal/README.md.
"""

import argparse
import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec

from benchmarks.report import RESULTS, digest, publish
from clawstream.streams.broker import LocalBroker
from clawstream.streams.settings import KafkaSettings
from examples.personal.judge import Judge, judging
from examples.personal.learners import NOISE, Learner
from examples.personal.model import make_base
from examples.personal.run import Score, learn
from examples.personal.stage import stage

LEARNERS = (
    Learner(tenant="combined", likes="plain", method="combined"),
    Learner(tenant="binary", likes="plain", method="binary"),
    Learner(tenant="distill", likes="plain", method="distill"),
    Learner(tenant="wrong-hints", likes="plain", method="wrong-hints"),
    Learner(tenant="opposite", likes="warm", method="combined"),
)
_RUN = (  # what a seed's scores follow from
    *("schemas", "topics", "streams", "gateway", "processors", "trainer", "rollout", "up", "demo"),
    *("examples/personal", "benchmarks/personal.py"),
)
_BASE_SEED = 0
_CHECKPOINTS, _TRIALS = (0, 12, 24, 36), 60
Runs = dict[str, list[Score]]  # by tenant


async def run_seed(seed: int, base: Path, folder: Path, bootstrap_servers: str) -> Runs:
    """All learners of one seed, side by side."""
    kafka = KafkaSettings(bootstrap_servers=bootstrap_servers)
    async with (
        judging(Judge(NOISE, seed)) as judge_url,
        stage(folder, base, kafka, LEARNERS, judge_url, seed) as running,
    ):
        learnt = (learn(running, each, seed, checkpoints=_CHECKPOINTS, trials=_TRIALS) for each in LEARNERS)
        runs = await asyncio.gather(*learnt)
    return {learner.tenant: scores for learner, scores in zip(LEARNERS, runs, strict=True)}


def raw(found: dict[int, Runs]) -> dict[str, Any]:
    """What goes into the results file."""
    seeds = {
        str(seed): {name: [asdict(each) for each in run] for name, run in runs.items()} for seed, runs in found.items()
    }
    return {
        "learners": {each.tenant: {"likes": each.likes, "method": each.method} for each in LEARNERS},
        "trials_per_score": _TRIALS,
        "liked_mean": {each.tenant: means(found, each.tenant) for each in LEARNERS},
        "seeds": seeds,
    }


def means(found: dict[int, Runs], tenant: str) -> list[float]:
    """Over seeds, at each checkpoint."""
    return [
        round(fmean(at), 3)
        for at in zip(*([each.liked for each in runs[tenant]] for runs in found.values()), strict=True)
    ]


def rows(found: dict[int, Runs]) -> list[tuple[str, str]]:
    """What is printed."""
    shown = [("interactions", "  ".join(f"{each:>4}" for each in _CHECKPOINTS))]
    for learner in LEARNERS:
        lasts = [runs[learner.tenant][-1].liked for runs in found.values()]
        curve = "  ".join(f"{each:4.2f}" for each in means(found, learner.tenant))
        shown.append((f"{learner.tenant} ({learner.likes})", f"{curve}   last {min(lasts):.2f} to {max(lasts):.2f}"))
    return shown


def draw(found: dict[int, Runs], path: Path) -> None:
    """Means over seeds, and each seed's run behind them."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5))
    for number, learner in enumerate(LEARNERS):
        colour = f"C{number}"
        for runs in found.values():
            axes.plot(
                _CHECKPOINTS, [each.liked for each in runs[learner.tenant]], color=colour, alpha=0.25, linewidth=1
            )
        label = f"{learner.tenant}: users like {learner.likes}"
        axes.plot(_CHECKPOINTS, means(found, learner.tenant), "o-", color=colour, linewidth=2, label=label)
    axes.set(xlabel="conversations", ylabel="first answers liked", ylim=(0, 1.02), xticks=_CHECKPOINTS)
    axes.set_title(f"Personal learning on the real loop, {len(found)} seeds")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main(seeds: Sequence[int], folder: Path) -> None:
    """Run seed after seed, but for those that this code has done in ``folder``; the results hold all of them."""
    folder /= digest(RESULTS.parents[1], _RUN)
    folder.mkdir(parents=True, exist_ok=True)
    base = make_base(folder / f"base-{_BASE_SEED}", seed=_BASE_SEED, progress=False)
    found = dict[int, Runs]()
    for seed in seeds:
        done = folder / f"seed-{seed}.json"
        if not done.exists():
            shutil.rmtree(folder / "stage", ignore_errors=True)
            with LocalBroker(port=0, ephemeral=True) as broker:
                runs = asyncio.run(run_seed(seed, base, folder / "stage", broker.bootstrap_servers))
            done.write_bytes(msgspec.json.encode(runs))
        found[seed] = msgspec.json.decode(done.read_bytes(), type=Runs)
    publish("personal", rows(found), raw(found))
    draw(found, RESULTS / "personal.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--folder", type=Path, default=Path("runs/personal-benchmark"))
    given = parser.parse_args()
    main(given.seeds, given.folder)
