"""What may pass is tried again, with pauses that double; what cannot is not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from clawstream.processors.rewards.scorer import TryAgainError

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.2


async def patiently(work: Callable[[], Awaitable[T]], tries: int, timeout_seconds: float | None) -> T:
    """What ``work`` returns. Each try may take ``timeout_seconds``. Raises ``TimeoutError`` or ``TryAgainError`` after
    the last, and at once whatever else ``work`` raises."""
    for attempt in range(1, tries + 1):
        try:
            async with asyncio.timeout(timeout_seconds):
                return await work()
        except TimeoutError:
            if attempt == tries:
                raise TimeoutError(f"no answer within {timeout_seconds:g} s, {attempt} times") from None
        except TryAgainError:
            if attempt == tries:
                raise
        await asyncio.sleep(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
    raise ValueError(f"tries is {tries}, and must be at least 1")
