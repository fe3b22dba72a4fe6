"""Rollouts of tasks: each is a trajectory, and those of one task are a group.

Invariant: a rollout that raises, is too slow or returns no reward is aborted, counts as failed and costs nobody else
anything. What keeps one trajectory from being opened would keep all: then no more are begun, and the run says why::

    task 1  ─ group ─┬─ rollout ─ open ─ run(task) ─ complete(reward)
                     ├─ rollout ─ open ─ run(task) ─ error ─ abort
    task 2  ─ group ─┬─ rollout ─ open (429: the gateway paces) ─ wait ─ open ─ ...
"""

import asyncio
import copy
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from clawstream.agents.aio import AsyncGateway, AsyncTrajectory
from clawstream.agents.errors import AgentError, FlowError
from clawstream.agents.flows import Flow
from clawstream.agents.place import new_name
from clawstream.agents.settings import AgentsSettings
from clawstream.agents.standing import reason_of
from clawstream.agents.tally import Tally
from clawstream.agents.tasks import Task

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """One try of a task."""

    task: Task
    group_id: str


def rollouts_of(tasks: Iterable[Task], count: int) -> Iterator[Rollout]:
    """``count`` rollouts of each task, which share a group that nobody else has."""
    for task in tasks:
        group_id = new_name()
        for _ in range(count):
            yield Rollout(task=task, group_id=group_id)


class Runner:
    """Runs one flow over tasks, through one gateway."""

    def __init__(self, flow: Flow, gateway: AsyncGateway, settings: AgentsSettings, tally: Tally) -> None:
        self._flow, self._gateway, self._settings, self._tally = flow, gateway, settings, tally
        self._stopped_by: AgentError | None = None

    async def work(self, tasks: Iterable[Task]) -> None:
        """Work through ``tasks``. Raises ``AgentError`` when trajectories cannot be opened (any more).

        When it is cancelled, what is open is aborted first.
        """
        upcoming = rollouts_of(tasks, self._settings.rollouts)
        async with asyncio.TaskGroup() as workers:
            for _ in range(min(self._settings.concurrency, self._tally.trajectories)):
                workers.create_task(self._worker(upcoming))
        if self._stopped_by is not None:
            raise self._stopped_by

    async def _worker(self, upcoming: Iterator[Rollout]) -> None:
        for rollout in upcoming:
            if self._stopped_by is not None:
                return
            await self._begun(rollout)

    async def _begun(self, rollout: Rollout) -> None:
        trajectory = self._trajectory(rollout)
        self._tally.begins()
        try:
            await trajectory.open()
        except AgentError as error:
            self._stopped_by = error
            self._tally.not_begun()
        except asyncio.CancelledError:
            self._tally.not_begun()
            raise
        else:
            self._tally.opens()
            await self._ended(trajectory, rollout)

    async def _ended(self, trajectory: AsyncTrajectory, rollout: Rollout) -> None:
        standing = trajectory.standing
        try:
            await self._completed(trajectory, rollout)
        except (Exception, SystemExit, asyncio.CancelledError) as error:  # the flow's: it costs this rollout alone
            await trajectory.give_up(error)
            if isinstance(error, asyncio.CancelledError) and _somebody_stops_us():
                self._tally.is_interrupted()
                raise
            _log.debug("a rollout of %s failed", rollout.task.name, exc_info=error)
            self._tally.fails(rollout.group_id, self._reason(error))
        else:
            if standing.ended == "aborted":
                self._tally.fails(rollout.group_id, standing.reason)
            else:
                self._tally.completes(rollout.group_id, standing.outcome)

    async def _completed(self, trajectory: AsyncTrajectory, rollout: Rollout) -> None:
        seconds, standing = self._settings.rollout_seconds, trajectory.standing
        try:
            async with asyncio.timeout(seconds) as limit:
                reward = await self._flow.run(trajectory, copy.deepcopy(rollout.task.content))
        except TimeoutError as error:
            if limit.expired():
                raise FlowError(f"run took longer than {seconds:g} s") from error
            raise
        if standing.ended is None:
            await trajectory.complete(reward)
        elif reward is not None:
            raise FlowError(f"run returned the reward {reward:g} for a trajectory that it had {standing.ended} itself")

    def _trajectory(self, rollout: Rollout) -> AsyncTrajectory:
        settings = self._settings
        return self._gateway.trajectory(
            group=rollout.group_id,
            group_size=settings.rollouts,
            channel=settings.channel,
            metadata={**rollout.task.content, "task": rollout.task.name, "agent": self._flow.name},
            sampling=settings.sampling,
            model=settings.model,
            agent=self._flow.name,
        )

    def _reason(self, error: BaseException) -> str:
        line = self._flow.line_of(error)
        return reason_of(error) + (f" ({line})" if line else "")


def _somebody_stops_us() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
