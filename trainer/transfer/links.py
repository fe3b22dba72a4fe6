"""A link: the trainer as rank 0 of a group with the vLLM workers of one node, by backend.

Invariant: a link is of one node and one transfer, so a slow or dead node holds up no other, and none lasts beyond its
time. Nothing that comes over it is unpickled.
"""

import base64
import ctypes
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.cuda import nccl

from clawstream.schemas.transfer import Backend
from clawstream.streams.process.gloo import GlooGroup, GroupError, serve_store

InitInfo = dict[str, str | int | float]
Send = Callable[[Tensor], None]


class Link(Protocol):
    """What every backend has. What fails raises ``GroupError`` or torch's ``RuntimeError``."""

    pack_bytes: int  # tensors are sent together until they exceed it

    def init_info(self) -> InitInfo:
        """What the workers need to join: the body of vLLM's ``/init_weight_transfer_engine``."""

    def gather(self) -> Send:
        """Return once the workers are there: how a pack of bytes is sent to all of them."""

    def close(self) -> None:
        """Leave."""


class GlooLink:
    """Over TCP, from memory."""

    pack_bytes = 8 << 20  # fresh memory for larger ones takes longer than sending them

    def __init__(self, host: str, worker_count: int, seconds: float) -> None:
        self._host, self._size, self._seconds = host, 1 + worker_count, seconds
        self._until = time.monotonic() + seconds
        self._store, self._port = serve_store(host, seconds)

    def init_info(self) -> InitInfo:
        """As our engine in vLLM has it (``rollout/vllm_worker.py``)."""
        return {
            "master_address": self._host,
            "master_port": self._port,
            "rank_offset": 1,
            "world_size": self._size,
            "seconds": self._seconds,
            "pack_bytes": self.pack_bytes,
        }

    def gather(self) -> Send:
        """The group, which goes with the last reference."""
        return GlooGroup(self._store, 0, self._size, self._host, self._until).broadcast

    def close(self) -> None:
        """Nothing is left to do."""


class NcclLink:
    """Over NCCL, from a GPU of the trainer: rank 0 of the group of vLLM's own engine.

    Workers join by NCCL's unique id. vLLM's other way, by an address, unpickles what it finds there.
    """

    pack_bytes = 256 << 20

    def __init__(self, device: torch.device, worker_count: int, seconds: float) -> None:
        self._device, self._size, self._seconds = device, 1 + worker_count, seconds
        self._id = nccl.unique_id()  # type: ignore[no-untyped-call]
        self._communicator: Any = None
        self._is_over = False
        self._timer = threading.Timer(seconds, self._abort)
        self._timer.daemon = True

    def init_info(self) -> InitInfo:
        """As vLLM's ``NCCLWeightTransferInitInfo`` has it."""
        return {
            "nccl_unique_id_b64": base64.b64encode(self._id).decode(),
            "rank_offset": 1,
            "world_size": self._size,
            "packed": True,
            "packed_buffer_size_bytes": self.pack_bytes,
        }

    def gather(self) -> Send:
        """The sum of one element, which vLLM's side expects of all that join, included."""
        self._timer.start()
        with torch.cuda.device(self._device):
            self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            self._communicator = nccl.init_rank(self._size, self._id, 0)  # type: ignore[no-untyped-call]
            with torch.cuda.stream(self._stream):
                one = torch.zeros(1, device=self._device)
                nccl.all_reduce([one], comms=[self._communicator])  # type: ignore[no-untyped-call]
        self._wait()
        return self._send

    def close(self) -> None:
        """Let the communicator go."""
        self._timer.cancel()
        self._communicator = None

    def _send(self, pack: Tensor) -> None:
        """On a stream of its own, so that training does not wait for it."""
        with torch.cuda.device(self._device), torch.cuda.stream(self._stream):
            nccl.broadcast([pack.to(self._device)], comms=[self._communicator])
        self._wait()

    def _wait(self) -> None:
        self._stream.synchronize()
        if self._is_over:
            raise GroupError(f"NCCL did not come through in {self._seconds:g} s")

    def _abort(self) -> None:
        """NCCL waits for ever for a member that is gone, with a kernel that keeps the GPU, unless it is told."""
        self._is_over = True
        if (capsule := self._communicator) is None:
            return  # still waiting for members, on the CPU
        api, held = ctypes.pythonapi, ctypes.py_object(capsule)
        api.PyCapsule_GetName.restype, api.PyCapsule_GetPointer.restype = ctypes.c_char_p, ctypes.c_void_p
        communicator = api.PyCapsule_GetPointer(held, ctypes.c_char_p(api.PyCapsule_GetName(held)))
        api.PyCapsule_SetDestructor(held, None)  # what is aborted is freed
        ctypes.CDLL("libnccl.so.2").ncclCommAbort(ctypes.c_void_p(communicator))


def link(backend: Backend, host: str, device: torch.device, worker_count: int, seconds: float) -> Link:
    """A link by ``backend``."""
    if backend == "nccl":
        return NcclLink(device, worker_count, seconds)
    return GlooLink(host, worker_count, seconds)
