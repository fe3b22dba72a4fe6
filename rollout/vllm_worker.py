"""What runs inside vLLM's worker processes: loading a version whole, from disk or as the trainer sends it.

vLLM mixes :class:`VersionLoader` into its worker, and finds our engine for machines without a GPU by its name.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from vllm.distributed.weight_transfer import WeightTransferEngineFactory
from vllm.distributed.weight_transfer.base import WeightTransferInitInfo
from vllm.distributed.weight_transfer.nccl_engine import NCCLWeightTransferEngine, NCCLWeightTransferUpdateInfo

from clawstream.schemas.transfer import packs
from clawstream.streams.process.gloo import GlooGroup


class VersionLoader:
    """Adds ``load_version`` and ``settle_version`` to the worker, for ``/collective_rpc``."""

    reload_weights: Any
    reset_encoder_cache: Any
    reset_mm_cache: Any
    get_model: Any

    def load_version(self, weights_path: str) -> None:
        """Load the weights in ``weights_path``."""
        self.reload_weights(weights_path=weights_path)
        self._pack_tied()

    def settle_version(self) -> None:
        """What ``reload_weights`` does besides, for weights that came by another way."""
        self.reset_encoder_cache()
        self.reset_mm_cache()
        self._pack_tied()

    def _pack_tied(self) -> None:
        """Renew the packed copy of a tied output layer.

        On a CPU vLLM multiplies with a copy of the output layer that it packs when a layer's own weights are loaded. A
        tied output layer has none, and would go on with the copy of the first weights.
        """
        modules = [module for module in self.get_model().modules() if _address(module)]
        holders = Counter(_address(module) for module in modules)
        for module in modules:
            if holders[_address(module)] > 1 and (method := getattr(module, "quant_method", None)):
                method.process_weights_after_loading(module)


def _address(module: Any) -> int:
    """Where the module's weight lies; 0 without one."""
    weight = getattr(module, "weight", None)
    return weight.data_ptr() if weight is not None else 0


@dataclass
class GlooInitInfo(WeightTransferInitInfo):
    """Where the trainer waits."""

    master_address: str
    master_port: int
    rank_offset: int
    world_size: int
    seconds: float  # for joining and all tensors
    pack_bytes: int


class GlooEngine(NCCLWeightTransferEngine):
    """vLLM's NCCL engine with gloo in its place: calls, their bodies and how weights are loaded are the same."""

    init_info_cls = GlooInitInfo
    _group: GlooGroup | None = None

    def init_transfer_engine(self, init_info: GlooInitInfo) -> None:
        """Join the trainer's group."""
        parallel = self.parallel_config
        rank = init_info.rank_offset + parallel.data_parallel_index * parallel.world_size + parallel.rank
        self._group = GlooGroup.join(
            init_info.master_address, init_info.master_port, rank, init_info.world_size, init_info.seconds
        )
        self._pack_bytes = init_info.pack_bytes

    def update_weights(self, update_info: dict[str, Any]) -> None:
        """vLLM's waits for a GPU."""
        self.receive_weights(self.parse_update_info(update_info))

    def receive_weights(self, update_info: NCCLWeightTransferUpdateInfo) -> None:
        """Load each tensor as it comes."""
        if self._group is None:
            raise RuntimeError("the trainer's group was not joined")
        self.model.load_weights(self._received(self._group, update_info))

    def _received(
        self, group: GlooGroup, update_info: NCCLWeightTransferUpdateInfo
    ) -> Iterator[tuple[str, torch.Tensor]]:
        dtypes = [getattr(torch, name) for name in update_info.dtype_names]
        shapes = update_info.shapes
        sizes = [math.prod(shape) * dtype.itemsize for shape, dtype in zip(shapes, dtypes, strict=True)]
        for pack in packs(sizes, self._pack_bytes):
            received = torch.empty(sum(sizes[index] for index in pack), dtype=torch.uint8)
            group.broadcast(received)
            end = 0
            for index in pack:
                part = received[end : (end := end + sizes[index])]
                aligned = part if part.storage_offset() % dtypes[index].itemsize == 0 else part.clone()
                yield update_info.names[index], aligned.view(dtypes[index]).view(shapes[index])

    def shutdown(self) -> None:
        """Leave the group."""
        self._group = None


WeightTransferEngineFactory.register_engine("gloo", GlooEngine)
