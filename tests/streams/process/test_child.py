import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clawstream.streams.process.child import guarded, keeping_bytecode, tied

SLEEPER = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
WITH_CHILD = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {SLEEPER!r}, sys.argv[1]])
time.sleep(60)
"""
PARENT = """
import subprocess, sys, time
from clawstream.streams.process.child import guarded, tied
wrap = {"tied": tied, "guarded": guarded}[sys.argv[1]]
subprocess.Popen(wrap([sys.executable, "-c", sys.argv[2], sys.argv[3]]), start_new_session=True)
time.sleep(60)
"""


def pid_in(path: Path) -> int:
    for _ in range(400):
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.025)
    raise AssertionError("the child did not start in 10 s")


def gone(pid: int) -> bool:
    for _ in range(200):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.025)
    return False


@pytest.mark.parametrize(("wrap", "source"), [("tied", SLEEPER), ("guarded", SLEEPER), ("guarded", WITH_CHILD)])
def test_kill_9_of_the_parent_ends_the_child(tmp_path: Path, wrap: str, source: str) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, wrap, source, str(tmp_path / "pid")])
    pid = pid_in(tmp_path / "pid")
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert gone(pid)


def test_when_a_guarded_command_ends_its_children_do(tmp_path: Path) -> None:
    source = WITH_CHILD.replace("time.sleep(60)\n", "time.sleep(1)\n")
    child = subprocess.Popen(guarded([sys.executable, "-c", source, str(tmp_path / "pid")]), start_new_session=True)
    pid = pid_in(tmp_path / "pid")
    child.wait()
    assert gone(pid)


def test_a_guarded_command_can_be_asked_to_stop(tmp_path: Path) -> None:
    child = subprocess.Popen(guarded([sys.executable, "-c", SLEEPER, str(tmp_path / "pid")]), start_new_session=True)
    pid = pid_in(tmp_path / "pid")
    child.terminate()
    child.wait(5)
    assert gone(pid)


def test_what_is_wrapped_is_the_command() -> None:
    assert tied(["/bin/true", "x"])[-2:] == guarded(["/bin/true", "x"])[-2:] == ["/bin/true", "x"]


def test_bytecode_goes_to_the_users_cache_where_it_may_not_lie_beside_its_source() -> None:
    found = keeping_bytecode({"PYTHONDONTWRITEBYTECODE": "1", "XDG_CACHE_HOME": "/c", "A": "a"})
    assert found == {
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": "/c/clawstream/bytecode",
        "XDG_CACHE_HOME": "/c",
        "A": "a",
    }
    for allowed in ({"A": "a"}, {"PYTHONDONTWRITEBYTECODE": "", "A": "a"}):
        assert keeping_bytecode(allowed) == allowed
