"""Functions as reward processors.

Invariant: what the function looks at is said by the type of its one parameter, so it cannot be run over anything else.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, get_type_hints, overload

from clawstream.processors.rewards.scorer import Over, Scorer
from clawstream.processors.rewards.subjects import Episode, Reaction, Subject, Turn
from clawstream.schemas import Reward

Given = Reward | float | None
F = TypeVar("F", bound=Callable[..., Given | Awaitable[Given]])

_OVER: dict[type[Subject], Over] = {Turn: "step", Reaction: "next_state", Episode: "trajectory"}
_MARK = "__clawstream_reward__"


class RewardError(Exception):
    """A reward processor that cannot be used as it is written."""


class FunctionScorer(Scorer):
    """Runs a function; one that is not async runs in a thread, so that it holds nobody up."""

    def __init__(self, function: Callable[[Any], Any], name: str, over: Over, **options: Any) -> None:
        """``options`` are those of ``Scorer``."""
        super().__init__(name, over, **options)
        self._function = function
        self._is_async = inspect.iscoroutinefunction(function)

    async def score(self, subject: Subject) -> Given:
        """What the function returns."""
        given: Given
        if self._is_async:
            given = await self._function(subject)
        else:
            given = await asyncio.to_thread(self._function, subject)
        return given


@overload
def reward(function: F) -> F: ...


@overload
def reward(
    *, name: str | None = None, concurrency: int = 8, timeout_seconds: float = 60.0, tries: int = 3
) -> Callable[[F], F]: ...


def reward(function: F | None = None, **options: Any) -> F | Callable[[F], F]:
    """Mark a function of one ``Turn``, ``Reaction`` or ``Episode`` as a reward processor.

    It returns a number, a reward (``subject.reward(...)``), or None where it has nothing to say, and may be async. Its
    name is the source of its rewards, unless ``name`` is given. Raises ``RewardError``.
    """

    def mark(marked: F) -> F:
        given = dict(options)
        name = given.pop("name", None) or marked.__name__
        setattr(marked, _MARK, FunctionScorer(marked, name, _over(marked), **given))
        return marked

    return mark if function is None else mark(function)


def scorer_of(thing: Any) -> Scorer | None:
    """The reward processor that ``thing`` is, if it is one."""
    if isinstance(thing, Scorer):
        return thing
    found = getattr(thing, _MARK, None)
    return found if isinstance(found, Scorer) else None


def _over(function: Callable[..., Any]) -> Over:
    parameters = list(inspect.signature(function).parameters.values())
    hint = get_type_hints(function).get(parameters[0].name) if len(parameters) == 1 else None
    if not isinstance(hint, type) or hint not in _OVER:
        raise RewardError(
            f"reward {function.__name__} must take one parameter whose type is Turn, Reaction or Episode, "
            f"not {inspect.signature(function)}"
        )
    return _OVER[hint]
