"""Graceful stops: SIGTERM and Ctrl-C set an event that main loops watch; a second one ends the process at once."""

import functools
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

_log = logging.getLogger(__name__)


def stop_event() -> threading.Event:
    """An event that SIGTERM and SIGINT set. Call it from the main thread."""
    event = threading.Event()

    def stop(number: int, _: FrameType | None) -> None:
        if event.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        event.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return event


def or_exit(work: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """End the process at once when ``work`` fails, as ``kill -9`` would: nothing is committed on the way out."""

    @functools.wraps(work)
    async def guarded(*args: Any, **options: Any) -> None:
        try:
            await work(*args, **options)
        except Exception:
            _log.exception("this worker cannot go on, and ends; what it had not finished is read again")
            logging.shutdown()
            os._exit(1)

    return guarded
