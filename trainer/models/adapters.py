"""LoRA (Hu 2021) through peft: small matrices are trained; published are whole weights, or the matrices themselves.

Invariant: merging never touches the weights under training, so it can be repeated without drift; and an adapter that
is written is read back as it was::

    published  W + scale * B A, or A, B        trained  A, B        frozen  W
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clawstream.trainer.errors import TrainerError
from clawstream.trainer.settings import TrainerSettings

_BASE, _A, _B = ".base_layer.", ".lora_A.default.weight", ".lora_B.default.weight"
_OURS, _SAVED = ".default.weight", ".weight"  # a tensor's ending in the module, and in an adapter's file
_PREFIX = "base_model.model."  # of names in an adapter's file
_FILE, _CONFIG = "adapter_model.safetensors", "adapter_config.json"


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


def adapter_of(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The adapters alone, named as peft and vLLM name them in files."""
    return {
        f"{_PREFIX}{name.removesuffix(_OURS)}{_SAVED}": tensor
        for name, tensor in weights.items()
        if name.endswith((_A, _B))
    }


def write_adapter(adapter: dict[str, Tensor], settings: TrainerSettings, folder: Path) -> None:
    """Write what :func:`adapter_of` gave, as peft lays it out."""
    from safetensors.torch import save_file

    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in adapter.items()}, folder / _FILE)
    targets = sorted({name.split(".")[-3] for name in adapter})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": str(settings.model),
        "r": settings.lora_rank,
        "lora_alpha": settings.lora_alpha,
        "target_modules": targets,
        "bias": "none",
        "inference_mode": True,
    }
    (folder / _CONFIG).write_text(json.dumps(config, indent=1) + "\n")


@torch.no_grad()
def read_adapter(folder: Path, language_model: Any, settings: TrainerSettings) -> None:
    """Give the adapters of ``language_model`` the values in ``folder``. Raises ``TrainerError`` unless they fit."""
    from safetensors.torch import load_file

    alpha = json.loads((folder / _CONFIG).read_text())["lora_alpha"]
    if alpha != settings.lora_alpha:
        raise TrainerError(
            f"{folder} holds an adapter of lora_alpha {alpha}, not {settings.lora_alpha}: another policy"
        )
    found = load_file(folder / _FILE)
    expected = adapter_of(dict(language_model.named_parameters()))
    if {name: of.shape for name, of in found.items()} != {name: of.shape for name, of in expected.items()}:
        raise TrainerError(f"{folder} holds an adapter of other layers or another rank than lora_targets and lora_rank")
    for name, parameter in expected.items():
        parameter.copy_(found[name])
