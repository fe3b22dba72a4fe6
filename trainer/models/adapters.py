"""LoRA (Hu 2021) through peft: small matrices are trained, whole weights are published.

Invariant: merging never touches the weights under training, so it can be repeated without drift::

    published  W + scale * B A        trained  A, B        frozen  W
"""

from typing import Any

import torch
from torch import Tensor

from clawstream.trainer.errors import TrainerError
from clawstream.trainer.settings import TrainerSettings

_BASE, _A, _B = ".base_layer.", ".lora_A.default.weight", ".lora_B.default.weight"


def add_adapters(language_model: Any, settings: TrainerSettings) -> None:
    """Put adapters beside the layers of ``lora_targets`` and freeze everything else."""
    from peft import LoraConfig, inject_adapter_in_model

    targets: str | list[str] = settings.lora_targets
    if "," in settings.lora_targets or settings.lora_targets != "all-linear":
        targets = [name.strip() for name in settings.lora_targets.split(",")]
    config = LoraConfig(r=settings.lora_rank, lora_alpha=settings.lora_alpha, target_modules=targets)
    try:
        inject_adapter_in_model(config, language_model)
    except ValueError as error:
        raise TrainerError(f"trainer.lora_targets {settings.lora_targets}: {error}") from error


def merged(weights: dict[str, Tensor], scale: float) -> dict[str, Tensor]:
    """Weights of the plain model: each adapter added to the layer that it is beside."""
    found: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if _BASE in name:
            layer, _, kind = name.partition(_BASE)
            found[f"{layer}.{kind}"] = _with_adapter(tensor, layer, weights, scale) if kind == "weight" else tensor
        elif ".lora_" not in name:
            found[name] = tensor
    return found


@torch.no_grad()
def _with_adapter(weight: Tensor, layer: str, weights: dict[str, Tensor], scale: float) -> Tensor:
    a, b = weights[layer + _A].float(), weights[layer + _B].float()
    return (weight.float() + scale * (b @ a)).to(weight.dtype)
