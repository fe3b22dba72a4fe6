"""Child processes that cannot outlive us."""

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded before any fork


def die_with_parent() -> None:
    """For ``preexec_fn``: the kernel kills this child when the thread that started it dies (Linux; elsewhere nothing).

    So a ``kill -9`` of the parent leaves no orphan that holds ports or files.
    """
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
