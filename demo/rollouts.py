"""Agents at work: groups of rollouts of one task, each a trajectory of its own at the gateway.

Invariant: a trajectory is registered, worked on and completed with its reward; training and held-out tasks
take this same path and differ in the name of their channel alone.
"""

import asyncio
import itertools
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from openai import APIError, AsyncOpenAI, DefaultAsyncHttpxClient

from clawstream.demo.agent import solve
from clawstream.demo.tasks import Task, score

MODEL = "policy"
_PATIENT_RETRIES = 1000  # a gateway that paces says when to come back


@dataclass(kw_only=True)
class Tally:
    """What the agents have done so far."""

    calls_asked: int = 0  # model calls sent, each of a client's attempts
    calls: int = 0  # model calls answered 200
    trajectories: int = 0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=256))  # rewards of the latest trajectories

    @property
    def success_rate(self) -> float:
        """Share of the recent trajectories that were right; 0 when there are none."""
        return sum(self.recent) / len(self.recent) if self.recent else 0.0


def counting_client(gateway_url: str, tally: Tally) -> AsyncOpenAI:
    """An ordinary client, below whose retries every model call is counted in ``tally``."""

    async def asked(request: Any) -> None:
        tally.calls_asked += _is_call(request)

    async def answered(response: Any) -> None:
        tally.calls += _is_call(response.request) and response.status_code == 200

    http = DefaultAsyncHttpxClient(event_hooks={"request": [asked], "response": [answered]})
    return AsyncOpenAI(base_url=gateway_url, api_key="not-needed", http_client=http)


def _is_call(request: Any) -> bool:
    return bool(request.url.path.endswith("/chat/completions"))


@dataclass(frozen=True, kw_only=True)
class Agents:
    """Agents at one gateway."""

    client: AsyncOpenAI
    gateway_url: str
    temperature: float
    tally: Tally

    async def rollout(self, task: Task, *, group_id: str, group_size: int, channel: str) -> float | None:
        """One trajectory; its reward, or None when a call failed."""
        trajectory_id = uuid.uuid4().hex
        client = self.client.with_options(base_url=f"{self.gateway_url}/{trajectory_id}/{group_id}/v1")
        opening = {"channel": channel, "metadata": {"group_size": group_size, "task": task.task_id}}
        patient = client.with_options(max_retries=_PATIENT_RETRIES)
        try:
            await patient.post("/register_trajectory", cast_to=object, body=opening)
            result = await solve(client, task.question, model=MODEL, temperature=self.temperature)
            reward = score(task, result.answer)
            await client.post("/complete_trajectory", cast_to=object, body={"reward": reward})
        except APIError:  # the trajectory closes by its idle time-out and is rejected: it has no reward
            return None
        self.tally.trajectories += 1
        return reward

    async def group(self, task: Task, group_size: int) -> None:
        """``group_size`` rollouts of one training task, side by side."""
        group_id = uuid.uuid4().hex
        rollouts = (
            self.rollout(task, group_id=group_id, group_size=group_size, channel="train") for _ in range(group_size)
        )
        rewards = await asyncio.gather(*rollouts)
        self.tally.recent.extend(reward for reward in rewards if reward is not None)

    async def work(self, tasks: Sequence[Task], *, group_size: int, in_flight: int, enough: Callable[[], bool]) -> None:
        """Work through ``tasks``, ``in_flight`` groups at a time; once it is ``enough``, finish what was begun."""
        upcoming = itertools.cycle(tasks)

        async def worker() -> None:
            while not enough():
                await self.group(next(upcoming), group_size)

        async with asyncio.TaskGroup() as workers:
            for _ in range(in_flight):
                workers.create_task(worker())

    async def success_on(self, tasks: Iterable[Task], *, in_flight: int) -> float:
        """Share of held-out ``tasks`` solved, one attempt each."""
        gate = asyncio.Semaphore(in_flight)

        async def attempt(task: Task) -> float | None:
            async with gate:
                return await self.rollout(task, group_id=uuid.uuid4().hex, group_size=1, channel="val")

        rewards = await asyncio.gather(*(attempt(task) for task in tasks))
        return sum(reward or 0.0 for reward in rewards) / len(rewards)
