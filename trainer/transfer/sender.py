"""Sends the newest version to nodes that ask for it, on threads of its own, while training goes on.

Invariant: what is sent is what the version's committed snapshot holds, which never changes; whoever asks for anything
else is refused, and loads from disk. Every wait ends by a deadline, and so many transfers run at a time at most::

    hold(7) -> announced with our address -> a node asks for 7 -> Offer -> its workers join -> tensors -> it hangs up
    hold(8)                                  a node asks for 7 -> Refusal
"""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import msgspec
import torch
from safetensors.torch import load_file
from torch import Tensor

from clawstream.schemas import WeightVersion
from clawstream.schemas.transfer import (
    MAX_ASK_BYTES,
    Ask,
    Backend,
    Offer,
    Refusal,
    Tensors,
    address,
    encoded,
    packs,
    read_ask,
)
from clawstream.streams.files.snapshots import folder_of
from clawstream.streams.process.gloo import GroupError
from clawstream.trainer.errors import InTheWayError, TrainerError
from clawstream.trainer.metrics import TRANSFERS
from clawstream.trainer.transfer.links import link

_log = logging.getLogger(__name__)
_AT_ONCE = 16
_ASK_SECONDS = 10.0
_LAST_SECONDS = 30.0  # for what is under way when the trainer stops


@dataclass(frozen=True, kw_only=True)
class Held:
    """A version, and its tensors as they lie in its snapshot: mapped, so they take no memory of their own."""

    weights: WeightVersion
    tensors: dict[str, Tensor]

    @classmethod
    def of(cls, weights: WeightVersion) -> "Held":
        """Read the snapshot of ``weights``."""
        tensors: dict[str, Tensor] = {}
        for file in sorted(folder_of(weights.uri).glob("*.safetensors")):
            tensors |= load_file(file)
        return cls(weights=weights, tensors=tensors)

    def described(self) -> Tensors:
        """Names, types and shapes."""
        return msgspec.convert(
            {
                "names": list(self.tensors),
                "dtype_names": [str(tensor.dtype).removeprefix("torch.") for tensor in self.tensors.values()],
                "shapes": [list(tensor.shape) for tensor in self.tensors.values()],
            },
            Tensors,
        )

    def packs(self, pack_bytes: int) -> Iterator[Tensor]:
        """All tensors as bytes. Many small ones by themselves would wait for Python's lock that often, in training."""
        tensors = [tensor.reshape(-1).view(torch.uint8) for tensor in self.tensors.values()]
        for pack in packs([tensor.numel() for tensor in tensors], pack_bytes):
            yield torch.cat([tensors[index] for index in pack])


def why_refused(held: WeightVersion, ask: Ask) -> str | None:
    """Why ``ask`` is not answered with ``held``; ``None`` when it is. Pure."""
    if held.model != ask.model:
        return f"{held.model} is trained here, not {ask.model}"
    if held.version != ask.version:
        return f"version {held.version} is held, not {ask.version}"
    if held.sha256 != ask.sha256:
        return f"version {ask.version} has another checksum"
    return None


class Sender:
    """Listens until it is closed."""

    def __init__(
        self, weights: WeightVersion, backend: Backend, host: str, port: int, seconds: float, device: torch.device
    ) -> None:
        """``weights``: held at first; ``port`` 0 takes a free one; ``seconds``: for each transfer.

        Raises ``TrainerError`` when it cannot send, ``InTheWayError`` when it cannot listen.
        """
        if backend == "nccl" and device.type != "cuda":
            raise TrainerError(f"trainer.transfer is nccl, which needs a GPU, and this trainer computes on {device}")
        self._backend, self._host, self._seconds, self._device = backend, host, seconds, device
        try:
            self._listening = socket.create_server(
                (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
            )
        except OSError as error:
            raise InTheWayError(
                f"trainer.transfer_host {host}, port {port}, cannot be listened on: {error.strerror}"
            ) from error
        self.address = address(backend, host, cast(int, self._listening.getsockname()[1]))
        self._held = Held.of(weights)
        self._slots, self._is_closed = threading.BoundedSemaphore(_AT_ONCE), False
        threading.Thread(target=self._accept, name="transfers", daemon=True).start()

    def hold(self, weights: WeightVersion) -> str:
        """Send ``weights``, whose snapshot is committed, from now on; where to ask for them."""
        if weights != self._held.weights:
            self._held = Held.of(weights)
        return self.address

    def close(self) -> None:
        """Take no one any more, and let those go on for a while who are at it: their vLLM could not go back."""
        self._is_closed = True
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        until = time.monotonic() + _LAST_SECONDS
        for _ in range(_AT_ONCE):
            self._slots.acquire(timeout=max(0.0, until - time.monotonic()))

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                connection, _ = self._listening.accept()
            except OSError as error:
                if not self._is_closed:
                    _log.error("no node can ask for weights just now: %s", error)
                    time.sleep(1.0)
                continue
            if not self._slots.acquire(blocking=False):
                TRANSFERS.labels("refused").inc()
                connection.close()
                continue
            threading.Thread(target=self._serve, args=(connection,), name="transfer", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        """One node. Its end is closed last, so it has left our group or died by then."""
        started, outcome = time.monotonic(), "failed"
        try:
            with connection:
                connection.settimeout(_ASK_SECONDS)
                with connection.makefile("rb") as lines:
                    outcome = self._answer(connection, read_ask(lines.readline(MAX_ASK_BYTES)))
        except msgspec.DecodeError as error:
            outcome = "refused"
            _log.warning("somebody asked for weights in another language: %s", error)
        except (GroupError, RuntimeError, OSError) as error:
            _log.warning("a transfer broke off after %.1f s: %s", time.monotonic() - started, str(error))
        finally:
            TRANSFERS.labels(outcome).inc()
            self._slots.release()

    def _answer(self, connection: socket.socket, ask: Ask) -> str:
        held, until = self._held, time.monotonic() + self._seconds
        if (reason := why_refused(held.weights, ask)) is not None:
            connection.sendall(encoded(Refusal(reason=reason)))
            return "refused"
        joined = link(self._backend, self._host, self._device, ask.worker_count, self._seconds)
        try:
            connection.sendall(encoded(Offer(init_info=joined.init_info(), tensors=held.described())))
            send = joined.gather()
            for pack in held.packs(joined.pack_bytes):
                send(pack)
            connection.settimeout(max(0.1, until - time.monotonic()))
            connection.recv(1)  # nothing: it hangs up
        finally:
            joined.close()
        return "sent"
