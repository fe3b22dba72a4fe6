"""What a trainer imports, imported once, before the forks that are trainers."""

import importlib

_LAZY = (  # what transformers and DeepSpeed import only when they are used
    "transformers.models.qwen2.modeling_qwen2",
    "setuptools.command.build_ext",
    "deepspeed.module_inject.auto_ep_config",
    "deepspeed.ops.op_builder.all_ops",
    "clawstream.trainer.command",
)


def warm_up() -> None:
    """Import, and keep to one thread: more only wait for each other in tests."""
    import torch

    for name in _LAZY:
        importlib.import_module(name)
    torch.set_num_threads(1)
