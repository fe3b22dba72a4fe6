"""The one file that touches DeepSpeed: a module, its optimiser, and their state on disk.

Invariant: every :meth:`Engine.step` applies the sum of all gradients since the last one, over micro-batches and ranks,
clipped by its norm; a norm that is not finite raises ``DivergedError``.

DeepSpeed would compile its shared-memory operator (half a minute) when it first starts on CPUs; it is told to leave it.
"""

import logging
import math
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed import HashStore  # type: ignore[attr-defined]

from clawstream.trainer.errors import DivergedError, TrainerError
from clawstream.trainer.models.ranks import launched, rank_count
from clawstream.trainer.settings import TrainerSettings

_TAG = "state"
_SHARED_MEMORY_OPERATOR = "deepspeed_shm_comm"


class Engine:
    """A module under training."""

    def __init__(self, module: nn.Module, learning_rate: float, settings: TrainerSettings) -> None:
        import deepspeed

        self._norm = math.nan
        self._learning_rate = learning_rate
        betas = (settings.beta_1, settings.beta_2)
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=learning_rate, betas=betas, weight_decay=settings.weight_decay)
        self._sharded = settings.zero_stage == 3
        self._ours = settings.zero_stage == 0 and settings.dtype == "float32"
        if self._ours:  # here DeepSpeed clips without saying the norm
            optimizer.register_step_pre_hook(lambda *_: self._clip(module, settings.grad_clip))
        config = _config(settings, grad_clip=0.0 if self._ours else settings.grad_clip)
        self._engine, *_ = deepspeed.initialize(model=module, optimizer=optimizer, config=config)
        self._optimizer = optimizer

    @property
    def module(self) -> Any:
        """The module, with the weights of the last step."""
        return self._engine.module

    @property
    def device(self) -> torch.device:
        """Where passes are computed."""
        return torch.device(self._engine.device)

    def __call__(self, *inputs: Any) -> Any:
        """The module's outputs for this rank's micro-batch."""
        return self._engine(*inputs)

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of this rank's share of the loss; ranks are summed."""
        self._engine.backward(loss * rank_count())  # DeepSpeed averages over ranks

    def step(self, learning_rate_factor: float = 1.0) -> float:
        """Apply the gradients; their norm before clipping."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning_rate * learning_rate_factor
        self._engine.step()
        if not self._ours:
            self._norm = float(self._engine.get_global_grad_norm())
        if not math.isfinite(self._norm):
            raise DivergedError(f"the gradient norm is {self._norm}: the update is dropped, lower the learning rate")
        return self._norm

    def weights(self) -> dict[str, Tensor]:
        """All weights by their names in the module; every rank calls it, and rank 0 has them."""
        if self._sharded:
            found = self._engine._zero3_consolidated_16bit_state_dict()
            return dict(found or {})
        return dict(self._engine.module.state_dict())

    def save(self, folder: Path) -> None:
        """Write weights and optimiser state, a file or more of each rank; every rank calls it."""
        self._engine.save_checkpoint(str(folder), tag=_TAG, save_latest=False)

    def load(self, folder: Path) -> None:
        """Read what :meth:`save` wrote with the same settings and number of ranks."""
        loaded, _ = self._engine.load_checkpoint(str(folder), tag=_TAG)
        if loaded is None:
            raise TrainerError(f"{folder} holds no training state of DeepSpeed")

    def _clip(self, module: nn.Module, grad_clip: float) -> None:
        self._norm = float(nn.utils.clip_grad_norm_(module.parameters(), grad_clip))
        if not math.isfinite(self._norm):
            raise DivergedError(
                f"the gradient norm is {self._norm}: the update is not applied, lower the learning rate"
            )


def start_ranks() -> None:
    """Join the other ranks that the launcher started; without one, be the only rank. Once in a process."""
    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")  # else DeepSpeed warns that it found no other
    import deepspeed

    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    deepspeed.ops.__compatible_ops__[_SHARED_MEMORY_OPERATOR] = False
    if launched():
        deepspeed.init_distributed(verbose=False)
    elif not dist.is_initialized():
        backend = deepspeed.accelerator.get_accelerator().communication_backend_name()
        dist.init_process_group(backend, store=HashStore(), rank=0, world_size=1)
        os.environ.setdefault("LOCAL_RANK", "0")  # DeepSpeed asks for it
        deepspeed.init_distributed(verbose=False)


def _config(settings: TrainerSettings, grad_clip: float) -> dict[str, Any]:
    return {
        "train_micro_batch_size_per_gpu": 1,  # required, and without effect: a step takes what was summed
        "managed_gradient_accumulation": False,
        "gradient_clipping": grad_clip,
        "bf16": {"enabled": settings.dtype == "bfloat16"},
        "zero_optimization": {"stage": settings.zero_stage, "stage3_gather_16bit_weights_on_model_save": True},
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 2**31,
    }
