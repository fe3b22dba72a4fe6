"""A whole ClawStream for tests: every process real, on free ports, under a topic prefix of its own.

Invariant: processes that a test kills are started again by the same supervisor that ``clawstream up`` uses.
"""

import asyncio
import contextlib
import os
import signal
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from clawstream.demo.account import Account, take_account
from clawstream.demo.configuration import write_toml
from clawstream.demo.watch import Observed, Watch
from clawstream.streams.settings import CONFIG_VARIABLE, KafkaSettings
from clawstream.up.processes import Stack, stack
from clawstream.up.settings import UpSettings
from clawstream.up.start import start_stack
from clawstream.up.supervisor import Supervisor

SECTIONS: dict[str, dict[str, Any]] = {
    "processors": {"group_size": 4, "group_deadline_seconds": 5.0, "idle_seconds": 8.0},
    "rollout": {"max_model_len": 1024, "transfer": "gloo"},
    "trainer": {
        "transfer": "gloo",
        "window_samples": 8,
        "window_seconds": 3.0,
        "learning_rate": 1e-4,
        "max_policy_lag": 1000,
    },
}


@dataclass(kw_only=True)
class Pipeline:
    """The running processes, and what the topics say of them."""

    layout: Stack
    supervisor: Supervisor
    observed: Observed
    lines: list[tuple[str, str]]
    sealed: Counter[str] = field(default_factory=Counter)  # step ids of answers that a client saw succeed

    @property
    def kafka(self) -> KafkaSettings:
        return self.layout.kafka

    def client(self, trajectory_id: str, group_id: str, **options: Any) -> AsyncOpenAI:
        """The ordinary OpenAI client, pointed at a trajectory."""
        url = f"{self.layout.gateway_url}/{trajectory_id}/{group_id}/v1"
        return AsyncOpenAI(base_url=url, api_key="not-needed", **options)

    def kill(self, name: str) -> None:
        """``kill -9``; the supervisor starts it again."""
        pid = self.supervisor.pid(name)
        assert pid is not None, f"{name} is not running"
        os.kill(pid, signal.SIGKILL)

    async def answers(self, count: int) -> None:
        """Return once clients have seen so many more calls succeed."""
        enough = self.sealed.total() + count
        await until(lambda: self.sealed.total() >= enough)

    async def account(self, seconds: float = 400.0) -> Account:
        """The account once it is closed; as it is when time is over."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            account = await asyncio.to_thread(take_account, self.kafka)
            if account.closed or asyncio.get_running_loop().time() > deadline:
                return account
            await asyncio.sleep(1.0)


async def until(condition: Callable[[], object], seconds: float = 400.0) -> None:
    """Wait for ``condition``; fail when it does not come true."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def running(bootstrap_servers: str, model: Path, folder: Path) -> AsyncIterator[Pipeline]:
    """All apps, until the node serves."""
    file = folder / "clawstream.toml"
    write_toml(SECTIONS, file)
    kafka = KafkaSettings(
        bootstrap_servers=bootstrap_servers, topic_prefix=f"loop{uuid.uuid4().hex[:6]}-", partitions=2
    )
    layout = stack(UpSettings(model=model, data_dir=folder, port=0, console=False), kafka, {CONFIG_VARIABLE: str(file)})
    lines: list[tuple[str, str]] = []
    supervisor = Supervisor(lambda name, line: lines.append((name, line)))
    try:
        await start_stack(supervisor, layout)
        with Watch(layout.kafka) as watch:
            await until(lambda: watch.observed.served_version is not None)
            yield Pipeline(layout=layout, supervisor=supervisor, observed=watch.observed, lines=lines)
    finally:
        await supervisor.stop()
        (folder / "log").write_text("".join(f"{name}: {line}\n" for name, line in lines))
