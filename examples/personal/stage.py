"""A whole ClawStream whose tenants each have a policy of their own: a LoRA adapter, trained from the tenant's samples
alone. One vLLM serves them all beside the base, which stays as it is.

Invariant: every process is real; leaving :func:`stage` by any way stops every one of them.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clawstream.demo.configuration import write_toml
from clawstream.demo.watch import Observed, Watch
from clawstream.streams.settings import CONFIG_VARIABLE, KafkaSettings
from clawstream.up.processes import Process, Stack, stack
from clawstream.up.settings import UpSettings
from clawstream.up.start import start_stack, until_ready
from clawstream.up.supervisor import Supervisor
from examples.personal.learners import Learner, configuration, keys_file

_START_SECONDS = 600.0
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where it is reached, and what its topics say."""

    gateway_url: str
    kafka: KafkaSettings
    observed: Observed

    def trained_version(self, learner: Learner) -> int:
        """The newest version of the learner's policy."""
        return max((each.version for each in self.observed.updates if each.model == learner.policy), default=0)

    def served_version(self, learner: Learner) -> int | None:
        """The version of it that calls are answered by; None before there is one."""
        return max(
            (each.version for each in self.observed.nodes.values() if each.model == learner.policy), default=None
        )

    def steps_trained(self, learner: Learner) -> int:
        """Steps that its trainer has taken."""
        reports = [each for each in self.observed.updates if each.model == learner.policy]
        return sum(len(report.sample_ids) + len(report.discarded) for report in reports)


@contextlib.asynccontextmanager
async def stage(
    folder: Path, base: Path, kafka: KafkaSettings, learners: Sequence[Learner], judge_url: str, seed: int
) -> AsyncIterator[Stage]:
    """All apps on ``base``, once every learner's policy is served; files and the log in ``folder``."""
    kafka = kafka.model_copy(update={"topic_prefix": f"personal-{uuid.uuid4().hex[:8]}-", "partitions": 1})
    layout = lay_out(folder, base, kafka, learners, judge_url, seed)
    with (folder / "log").open("w", buffering=1) as log:
        supervisor = Supervisor(lambda name, line: print(f"{name}: {line}", file=log))
        try:
            await start_stack(supervisor, layout)
            with Watch(layout.kafka) as watch:
                running = Stage(gateway_url=layout.gateway_url, kafka=layout.kafka, observed=watch.observed)
                await asyncio.wait_for(until_ready(layout.gateway_url), _START_SECONDS)
                await until(
                    lambda: all(running.served_version(each) is not None for each in learners),
                    _START_SECONDS,
                    "not every policy was served",
                )
                yield running
        finally:
            await supervisor.stop()


def lay_out(
    folder: Path, base: Path, kafka: KafkaSettings, learners: Sequence[Learner], judge_url: str, seed: int
) -> Stack:
    """The processes of ``clawstream up``, with a trainer for each learner; writes the files that they read."""
    folder, base = folder.resolve(), base.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    settings, keys = folder / "clawstream.toml", folder / "keys.toml"
    keys.write_text(keys_file(learners))
    write_toml(configuration(learners, judge_url, keys, seed), settings)
    up = UpSettings(model=base, data_dir=folder, port=0, console=False)
    layout = stack(up, kafka, {CONFIG_VARIABLE: str(settings)})
    environment = layout.apps[0].environment
    trainers = [
        Process(
            name=f"train-{each.tenant}",
            arguments=each.trainer_arguments(base, folder / "train"),
            environment=environment,
        )
        for each in learners
    ]
    return replace(layout, apps=(*(app for app in layout.apps if app.name != "train"), *trainers))


async def until(condition: Callable[[], bool], seconds: float, failure: str) -> None:
    """Wait for ``condition``. Raises ``TimeoutError`` with ``failure``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{failure} within {seconds:g} s")
        await asyncio.sleep(_LOOK_SECONDS)
