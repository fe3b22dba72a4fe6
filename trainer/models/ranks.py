"""The processes of one trainer: which rank this is, sums over ranks, and windows from rank 0 to the others.

Invariant: without a launcher there is one rank, no port is opened and nothing here blocks.
"""

import os

import torch
from torch import Tensor
from torch import distributed as dist

_LAUNCHER = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def launched() -> bool:
    """Whether a launcher (deepspeed, torchrun) started this process as one rank of several."""
    return all(name in os.environ for name in _LAUNCHER)


def rank() -> int:
    """Which process this is; 0 consumes, announces and writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def rank_count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def sum_over_ranks(tensor: Tensor) -> Tensor:
    """The elementwise sum of every rank's ``tensor``, in place."""
    if rank_count() > 1:
        dist.all_reduce(tensor)
    return tensor


def most_of_ranks(count: int, device: torch.device) -> int:
    """The largest of every rank's ``count``."""
    if rank_count() == 1:
        return count
    found = torch.tensor([count], device=device)
    dist.all_reduce(found, op=dist.ReduceOp.MAX)
    return int(found)


def wait_for_all() -> None:
    """Return once every rank is here."""
    if rank_count() > 1:
        dist.barrier()


def share(payload: bytes, device: torch.device) -> bytes:
    """Rank 0's ``payload`` on every rank; what other ranks pass counts for nothing."""
    if rank_count() == 1:
        return payload
    size = torch.tensor([len(payload)], device=device)
    dist.broadcast(size, src=0)
    content = torch.zeros(int(size), dtype=torch.uint8, device=device)
    if rank() == 0 and payload:
        content.copy_(torch.frombuffer(bytearray(payload), dtype=torch.uint8))
    dist.broadcast(content, src=0)
    return bytes(content.cpu().numpy())
