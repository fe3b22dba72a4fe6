"""Two processes and one group: what comes through, and who waits for the dead."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
import torch

from clawstream.streams.process.gloo import GlooGroup, GroupError, serve_store
from clawstream.streams.process.ports import HOST, free_port
from tests.streams.process.members import SECONDS, TENSORS

Member = Callable[[str], Callable[[], str]]


@pytest.fixture(scope="module")
def member() -> Iterator[Member]:
    """Starts the other member; what it says is read later."""
    command = [sys.executable, "-m", "tests.streams.process.members"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def start(line: str) -> Callable[[], str]:
            stdin.write(line + "\n")
            stdin.flush()
            return stdout.readline

        yield start


def test_tensors_of_every_kind_come_through_as_they_are(member: Member) -> None:
    store, port = serve_store(HOST, SECONDS)
    said = member(f"receives {port}")
    group = GlooGroup(store, 0, 2, HOST, time.monotonic() + SECONDS)
    for tensor in TENSORS:
        group.broadcast(tensor)
    assert said() == "all\n"


@pytest.mark.parametrize(("kind", "seconds"), [("dies", 3 * SECONDS), ("stalls", 2.0)])
def test_nobody_waits_for_one_that_dies_or_beyond_the_deadline(member: Member, kind: str, seconds: float) -> None:
    group = GlooGroup.join(HOST, int(member(kind)()), 1, 2, seconds)
    group.broadcast(torch.empty(2, 2))
    started = time.monotonic()
    with pytest.raises(GroupError, match="a tensor of 16 bytes did not come through"):
        group.broadcast(torch.empty(2, 2))
    assert time.monotonic() - started < SECONDS
    with pytest.raises(GroupError, match="did not come through" if kind == "dies" else "the group's time is over"):
        group.broadcast(torch.empty(2, 2))


def test_a_group_that_is_not_there_is_not_waited_for() -> None:
    started = time.monotonic()
    with pytest.raises(GroupError, match="cannot be reached"):
        GlooGroup.join(HOST, free_port(), 1, 2, SECONDS)
    assert time.monotonic() - started < SECONDS / 2
    store, _ = serve_store(HOST, 1)
    with pytest.raises(GroupError, match="a group of 2 did not come together: wait timeout"):
        GlooGroup(store, 0, 2, HOST, time.monotonic() + 0.3)
