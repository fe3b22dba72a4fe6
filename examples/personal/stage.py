"""A whole ClawStream for one run of the example: every process real, under a topic prefix of its own.

Invariant: nothing is shared between two runs but the broker; leaving :func:`stage` by any way stops every process.
"""

import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from clawstream.demo.configuration import write_toml
from clawstream.demo.watch import Observed, Watch
from clawstream.streams.settings import CONFIG_VARIABLE, KafkaSettings
from clawstream.up.processes import stack
from clawstream.up.settings import UpSettings
from clawstream.up.start import start_stack, until_ready
from clawstream.up.supervisor import Supervisor

Method = Literal["binary", "distill", "combined", "wrong-hints"]
VOTES = 3


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where the run is reached."""

    gateway_url: str
    kafka: KafkaSettings
    observed: Observed


def configuration(method: Method, seed: int, judge_url: str) -> dict[str, dict[str, Any]]:
    """Sections and keys, as in ``clawstream.toml``. Methods differ in what is trained, and in nothing else."""
    asked = {"url": judge_url, "votes": VOTES}
    judges = [
        {"kind": "next_state_judge", "model": "judge", "quorum": 2, **asked},
        {"kind": "hints", "model": "wrong-hints" if method == "wrong-hints" else "hints", **asked},
    ]
    return {
        "gateway": {"handover": False},
        "processors": {"ready": "step", "rewards": json.dumps(judges)},
        "rollout": {"max_model_len": 512, "tool_call_parser": "", "max_num_seqs": 64},
        "trainer": {
            "algorithm": "combined" if method == "wrong-hints" else method,
            "hint_teacher": "initial",
            "learning_rate": 1e-3,
            "minibatches": 1,
            "window_samples": 16,
            "window_seconds": 1.0,
            "seed": seed,
        },
    }


@contextlib.asynccontextmanager
async def stage(
    folder: Path, model: Path, kafka: KafkaSettings, sections: dict[str, dict[str, Any]]
) -> AsyncIterator[Stage]:
    """All apps on ``model``, once a node serves it; files and logs in ``folder``."""
    file = _written(sections, folder)
    kafka = kafka.model_copy(update={"topic_prefix": f"personal-{uuid.uuid4().hex[:8]}-", "partitions": 1})
    layout = stack(UpSettings(model=model, data_dir=folder, port=0, console=False), kafka, {CONFIG_VARIABLE: str(file)})
    with (folder / "log").open("w", buffering=1) as log:
        supervisor = Supervisor(lambda name, line: print(f"{name}: {line}", file=log))
        try:
            await start_stack(supervisor, layout)
            with Watch(layout.kafka) as watch:
                await until_ready(layout.gateway_url)
                yield Stage(gateway_url=layout.gateway_url, kafka=layout.kafka, observed=watch.observed)
        finally:
            await supervisor.stop()


def _written(sections: dict[str, dict[str, Any]], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "clawstream.toml").resolve()
    write_toml(sections, file)
    return file
