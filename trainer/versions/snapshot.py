"""Snapshots: Hugging Face folders that rollout nodes load.

Invariant: every version has the tokenizer, templates and configuration of version 0; only the safetensors differ.
"""

import shutil
from pathlib import Path
from typing import Any

from torch import Tensor

from clawstream.trainer.errors import TrainerError
from clawstream.trainer.versions.state import SEEN_FILE, STATE_FILE

_TIED = "lm_head.weight"  # a copy of the embedding
_WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "*.bin", "*.bin.index.json", "*.pt", "*.pth")


def copy_initial(model: Path, folder: Path) -> None:
    """Copy the model that training begins with, as it is, but for weights in other formats."""
    if not any(model.glob("*.safetensors")):
        raise TrainerError(f"{model} holds no *.safetensors")
    for path in _files(model):
        if path.match("*.safetensors*") or not _is_weights(path):
            shutil.copyfile(path, folder / path.name)


def write_snapshot(language_model: Any, weights: dict[str, Tensor], initial: Path, folder: Path) -> None:
    """Write the ``weights`` of ``language_model`` as safetensors, and everything else as in ``initial``."""
    if language_model.config.get_text_config().tie_word_embeddings:
        weights = {name: tensor for name, tensor in weights.items() if name != _TIED}
    language_model.save_pretrained(folder, state_dict=weights)
    for path in _files(initial):
        if not _is_weights(path) and path.name not in (STATE_FILE, SEEN_FILE):
            shutil.copyfile(path, folder / path.name)


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise TrainerError(f"{folder} is no folder")
    return sorted(path for path in folder.iterdir() if path.is_file())


def _is_weights(path: Path) -> bool:
    return any(path.match(pattern) for pattern in _WEIGHTS)
