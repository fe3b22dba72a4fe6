"""Child processes that cannot outlive us."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# prctl(PR_SET_PDEATHSIG, SIGKILL), then become the command. A parent that died before the call has another pid by now.
_DIE_WITH_PARENT = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""

# Runs the command and watches the parent. When either ends, the whole process group goes, grandchildren too.
_GUARD_GROUP = """
import os, signal, subprocess, sys, time
child = subprocess.Popen(sys.argv[2:])
signal.signal(signal.SIGTERM, lambda *_: child.terminate())
while child.poll() is None and os.getppid() == int(sys.argv[1]):
    time.sleep(0.1)
os.killpg(0, signal.SIGKILL)
"""


def keeping_bytecode(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` with bytecode in the user's cache where it may not be written beside its source.

    Many container images have it so: then each process that starts compiles all that it imports, a gateway for 2 s and
    vLLM, which is three interpreters, for much longer.
    """
    if not environment.get("PYTHONDONTWRITEBYTECODE"):
        return dict(environment)
    cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clawstream" / "bytecode"
    return {**environment, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(cache)}


def tied(command: Sequence[str]) -> list[str]:
    """``command`` (an absolute path and arguments), to be killed by the kernel when we die, also by ``kill -9``.

    On Linux alone; elsewhere it is as it was. The signal is sent when the *thread* that starts it ends, so start it
    from one that stays.
    """
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *command]


def guarded(command: Sequence[str]) -> list[str]:
    """``command``, to be killed with every process that it started when it ends or we die, also by ``kill -9``.

    Start it in a session of its own (``start_new_session=True``): its process group is what is killed.
    """
    return [sys.executable, "-I", "-S", "-c", _GUARD_GROUP, str(os.getpid()), *command]
