"""A flow: a class that is made with a trajectory and has ``run(task)``, with or without ``async``.

The reward of the trajectory is what ``run`` returns: a number, or ``None`` for one that comes later or was said by
``trajectory.complete(reward)``.
"""

import importlib
import inspect
import sys
import traceback
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

from clawstream.agents.aio import AsyncTrajectory
from clawstream.agents.client import Trajectory
from clawstream.agents.errors import FlowError
from clawstream.agents.threads import Bridge, in_thread


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A flow that can be run."""

    name: str
    made_by: Any  # the class; called with a trajectory
    is_async: bool
    file: str  # that the class is in

    async def run(self, trajectory: AsyncTrajectory, task: dict[str, Any]) -> float | None:
        """The reward of one rollout. Raises what the flow raises; ``FlowError`` for a result that is no reward."""
        returned = await (self._awaited if self.is_async else self._threaded)(trajectory, task)
        return reward_of(returned)

    def line_of(self, error: BaseException) -> str:
        """The line of the flow's file that ``error`` came through last, as ``my_flow.py:12``; empty when it did not."""
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == self.file]
        return f"{Path(self.file).name}:{lines[-1]}" if lines else ""

    async def _awaited(self, trajectory: AsyncTrajectory, task: dict[str, Any]) -> object:
        return await self.made_by(trajectory).run(task)

    async def _threaded(self, trajectory: AsyncTrajectory, task: dict[str, Any]) -> object:
        bridge = Bridge(trajectory.send)
        mine = Trajectory(bridge, trajectory.standing, trajectory.url)
        try:
            return await in_thread(lambda: self.made_by(mine).run(task))
        finally:
            bridge.stop()


def load_flow(named: str, folder: Path | None = None) -> Flow:
    """The flow that ``module:Class`` names; modules are looked for in ``folder`` first (the current one).

    Raises ``FlowError`` for what is no flow.
    """
    module_name, _, class_name = named.partition(":")
    if not module_name or not class_name:
        raise FlowError(f"{named!r} names no flow; one is named module:Class, such as my_flow:Flow")
    found = getattr(_module(module_name, folder or Path.cwd()), class_name, None)
    if not inspect.isclass(found):
        raise FlowError(f"module {module_name} has no class {class_name}")
    run = getattr(found, "run", None)
    if not callable(run):
        raise FlowError(f"{named} has no method run(task)")
    _require(inspect.signature(run), f"{named}.run must take a task and nothing else", None, None)
    _require(inspect.signature(found), f"{named} must take a trajectory and nothing else", None)
    file = inspect.getsourcefile(found) or ""
    return Flow(name=class_name, made_by=found, is_async=inspect.iscoroutinefunction(run), file=file)


def _module(name: str, folder: Path) -> Any:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            raise FlowError(f"there is no module {name} in {folder}, nor among the installed ones") from error
        raise FlowError(f"module {name} cannot be imported: {error}") from error
    except Exception as error:  # the user's code: whatever it raises is what there is to say
        raise FlowError(f"module {name} cannot be imported: {type(error).__name__}: {error}") from error


def _require(signature: inspect.Signature, sentence: str, *arguments: None) -> None:
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise FlowError(f"{sentence}: {error}") from error


def reward_of(returned: object) -> float | None:
    """What ``run`` returned, as a reward. Raises ``FlowError`` for what is none."""
    if returned is None:
        return None
    if inspect.iscoroutine(returned):
        returned.close()
        raise FlowError("run gave a coroutine: write it with async def")
    if not isinstance(returned, Real):
        raise FlowError(f"run returned {returned!r:.80}; a reward is a number, or None where it is not known yet")
    return float(returned)
