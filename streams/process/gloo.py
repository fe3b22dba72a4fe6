"""A gloo group of processes that share nothing else: tensors of rank 0 to all others over TCP, as bytes, no pickle.

Invariant: no call waits beyond the group's deadline, and the death of a member ends the others' calls at once. Nothing
listens but on the one interface by which the members reach each other.
"""

import socket
import time
from datetime import timedelta
from typing import Any, cast

import torch
from torch import Tensor
from torch.distributed import ProcessGroupGloo, TCPStore  # type: ignore[attr-defined]

from clawstream.streams.errors import StreamError

_REACH_SECONDS = 10.0  # a store is there or is not
_GATHER_SECONDS = 30.0  # members are on their way


class GroupError(StreamError):
    """A group did not come together, or fell apart."""


class GlooGroup:
    """One member of a group whose store rank 0 serves; it leaves with the last reference."""

    def __init__(self, store: TCPStore, rank: int, size: int, host: str, until: float) -> None:
        """Returns once all are there. ``host``: our own address; ``until``: of ``time.monotonic``."""
        self._store, self._until = store, until
        options = ProcessGroupGloo._Options()  # type: ignore[attr-defined]
        options._devices = [ProcessGroupGloo.create_device(hostname=host)]
        options._timeout = min(self._left(), timedelta(seconds=_GATHER_SECONDS))
        try:
            self._group: Any = ProcessGroupGloo(store, rank, size, options)
        except RuntimeError as error:
            raise GroupError(f"a group of {size} did not come together: {_first_line(error)}") from error

    @classmethod
    def join(cls, host: str, port: int, rank: int, size: int, seconds: float) -> "GlooGroup":
        """Join the group whose store is at ``host`` and ``port``; ``seconds`` for joining and all that follows."""
        until = time.monotonic() + seconds
        try:
            # first by a socket: a store is waited for, not refused
            with socket.create_connection((host, port), _REACH_SECONDS) as reached:
                own = str(reached.getsockname()[0])
            store = TCPStore(
                host, port, wait_for_workers=False, timeout=timedelta(seconds=min(_REACH_SECONDS, seconds))
            )
        except (OSError, RuntimeError) as error:
            raise GroupError(f"the group at {host}:{port} cannot be reached: {_first_line(error)}") from error
        return cls(store, rank, size, own, until)

    def broadcast(self, tensor: Tensor) -> None:
        """Send ``tensor``, which is contiguous, where this is rank 0; fill it elsewhere."""
        if tensor.numel() == 0:
            return
        try:
            self._group.broadcast(tensor.reshape(-1).view(torch.uint8), 0, self._left()).wait()
        except RuntimeError as error:
            raise GroupError(f"a tensor of {tensor.nbytes} bytes did not come through: {_first_line(error)}") from error

    def _left(self) -> timedelta:
        left = self._until - time.monotonic()
        if left <= 0:
            raise GroupError("the group's time is over")
        return timedelta(seconds=left)


def serve_store(host: str, seconds: float) -> tuple[TCPStore, int]:
    """The store of a new group, for as long as it is referred to, and its port on ``host``."""
    listening = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    port = cast(int, listening.getsockname()[1])
    store = TCPStore(
        host,
        port,
        is_master=True,
        wait_for_workers=False,
        timeout=timedelta(seconds=min(_GATHER_SECONDS, seconds)),
        master_listen_fd=listening.detach(),  # else it would listen on every interface
    )
    return store, port


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
