"""Members of groups: forks of one process that has torch and no group, ``python -m tests.streams.process.members``.

Protocol: one line in, ``receives PORT``, ``dies`` or ``stalls``; one line out, how it went, or the port to join at. A
process with a group must not fork: what the fork collects of it waits for threads that it has not.
"""

import os
import signal
import sys
import time

import torch

from clawstream.streams.process.gloo import GlooGroup, serve_store
from clawstream.streams.process.ports import HOST

SECONDS = 20.0
TENSORS = [
    *(torch.arange(4.0).reshape(2, 2).to(kind) for kind in (torch.float32, torch.bfloat16, torch.float8_e4m3fn)),
    *(torch.tensor(7.5), torch.empty(0, 3), torch.tensor([2**40])),
]


def _receive(port: int) -> None:
    """Takes all tensors."""
    group = GlooGroup.join(HOST, port, 1, 2, SECONDS)
    for sent in TENSORS:
        taken = torch.empty_like(sent)
        group.broadcast(taken)
        assert taken.reshape(-1).view(torch.uint8).equal(sent.reshape(-1).view(torch.uint8)), (taken, sent)
    print("all", flush=True)


def _send_one(*, dies: bool) -> None:
    """Sends one tensor, and no other."""
    store, port = serve_store(HOST, SECONDS)
    print(port, flush=True)
    group = GlooGroup(store, 0, 2, HOST, time.monotonic() + SECONDS)
    group.broadcast(TENSORS[0])
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(SECONDS)


def main() -> None:
    """A member for each line."""
    members = []
    for line in sys.stdin:
        kind, *port = line.split()
        members.append(os.fork())
        if members[-1] == 0:
            try:
                _receive(int(port[0])) if port else _send_one(dies=kind == "dies")
            finally:
                os._exit(0)
    for member in members:
        os.kill(member, signal.SIGKILL)


if __name__ == "__main__":
    main()
