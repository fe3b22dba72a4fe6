"""Child processes that cannot outlive us."""

import os
import sys
from collections.abc import Sequence

# prctl(PR_SET_PDEATHSIG, SIGKILL), then become the command. A parent that died before the call has another pid by now.
_DIE_WITH_PARENT = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


def tied(command: Sequence[str]) -> list[str]:
    """``command`` (an absolute path and arguments), to be killed by the kernel when we die, also by ``kill -9``.

    On Linux alone; elsewhere it is as it was. The signal is sent when the *thread* that starts it ends, so start it from
    one that stays.
    """
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *command]
