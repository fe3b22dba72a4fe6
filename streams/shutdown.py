"""Graceful stops: SIGTERM and Ctrl-C set an event that main loops watch; a second one ends the process at once."""

import signal
import threading
from types import FrameType


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
