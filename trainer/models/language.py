"""Policy and critic as modules over a Hugging Face causal language model.

Invariant: the policy's log-probabilities are those of the distribution that was sampled from: logits divided by the
response's temperature, log-softmax in float32 or better. Outputs are ``[m]``, one for each sampled token of the pass.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from clawstream.streams.windows.usable import ModelLimits
from clawstream.trainer.batches.packed import Packed
from clawstream.trainer.errors import TrainerError
from clawstream.trainer.models import attention
from clawstream.trainer.models.ranks import most_of_ranks

_MAX_LOGITS = 2**25  # float32 logits held at once: 128 MiB, and as much again for their gradient
_LOGIT_CHANGES = ("final_logit_softcapping", "logit_scale", "logits_scaling")  # heads that do more than multiply


def load_language_model(folder: Path, dtype: torch.dtype, *, gradient_checkpointing: bool = False) -> Any:
    """The causal language model in ``folder``, from its safetensors. Raises ``TrainerError`` when it does not fit."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    attention.register()
    options = {"dtype": dtype, "local_files_only": True, "use_safetensors": True}
    try:
        model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="sdpa", **options)
    except (OSError, ValueError) as error:
        raise TrainerError(f"{folder} holds no causal language model that can be trained: {error}") from error
    config = model.config.get_text_config()
    for name in _LOGIT_CHANGES:
        if getattr(config, name, None) not in (None, 1.0):
            raise TrainerError(f"{folder}: {name} changes the logits after the head, which the trainer does not follow")
    if attention.can_pack(type(model), config):
        model.set_attn_implementation(attention.NAME)
    model.train()  # dropout, if the model has any, is the model's own choice
    if gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return model


def packs(language_model: Any) -> bool:
    """Whether the model takes packed trees; else it needs rows."""
    return bool(language_model.config._attn_implementation == attention.NAME)


def limits_of(language_model: Any) -> ModelLimits:
    """What ``language_model`` can take in."""
    config = language_model.config.get_text_config()
    return ModelLimits(max_positions=int(config.max_position_embeddings), vocabulary_size=int(config.vocab_size))


class Policy(nn.Module):
    """What a language model says of sampled tokens."""

    def __init__(self, language_model: Any) -> None:
        super().__init__()
        self.language_model = language_model

    def forward(
        self, packed: Packed, entropy_gradient: bool = False, top: int | Tensor = 0
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Log-probability of each sampled token and entropy of its distribution in nats, ``[m]`` each; then, ``[m, K]``
        each, log-probabilities and ids of other tokens in its place: the ``top`` most likely, or those ``top`` names.

        Entropies have a gradient only where it is asked for: it takes as much memory as the log-probabilities. Every
        rank calls the head equally often, as one that is sharded (ZeRO 3) is gathered at each call.
        """
        head = self.language_model.get_output_embeddings()
        hidden = _before_sampled(self.language_model.base_model, packed)
        count = most_of_ranks(-(-len(hidden) // max(1, _MAX_LOGITS // head.out_features)), hidden.device)
        named = top if isinstance(top, Tensor) else packed.tokens.ids.new_zeros(len(hidden), 0)
        given = (hidden, packed.tokens.ids, packed.tokens.temperatures, named)
        top_count = 0 if isinstance(top, Tensor) else top
        parts = (torch.tensor_split(of, count) for of in given)
        chunks: Iterator[tuple[Tensor, ...]] = zip(*parts, strict=True)
        if count == 1:
            said = [_said(head, chunk, entropy_gradient, top_count) for chunk in chunks]
        else:
            said = [
                checkpoint(_said, head, chunk, entropy_gradient, top_count, use_reentrant=False) for chunk in chunks
            ]
        logprobs, entropies, top_logprobs, top_ids = (torch.cat(parts) for parts in zip(*said, strict=True))
        return logprobs, entropies, top_logprobs, top_ids


class Critic(nn.Module):
    """Values of the states in which tokens were sampled: the backbone and a linear head that begins at 0."""

    def __init__(self, language_model: Any) -> None:
        super().__init__()
        self.backbone = language_model.base_model
        width = language_model.config.get_text_config().hidden_size
        self.head = nn.Linear(width, 1, dtype=language_model.dtype)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, packed: Packed) -> Tensor:
        """Value of the state before each sampled token, ``[m]`` float32."""
        return cast(Tensor, self.head(_before_sampled(self.backbone, packed)).float()[:, 0])


def _before_sampled(backbone: Any, packed: Packed) -> Tensor:
    """Hidden states ``[m, width]`` that predict the sampled tokens."""
    layout = {} if packed.layout is None else {"position_ids": packed.position_ids, "layout": packed.layout}
    hidden = backbone(input_ids=packed.input_ids, use_cache=False, **layout).last_hidden_state
    return cast(Tensor, hidden.flatten(0, 1)[packed.source])


def _said(head: Any, chunk: tuple[Tensor, ...], entropy_gradient: bool, top_count: int) -> tuple[Tensor, ...]:
    hidden, sampled, temperatures, named = chunk
    logits = head(hidden)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32)) / temperatures[:, None]
    normaliser = logits.logsumexp(dim=-1)
    logprobs = logits.gather(1, sampled[:, None])[:, 0] - normaliser
    top_ids = logits.topk(top_count, dim=1).indices if top_count else named
    top_logprobs = logits.gather(1, top_ids) - normaliser[:, None]
    with torch.set_grad_enabled(entropy_gradient and torch.is_grad_enabled()):
        return logprobs, normaliser - (logits.softmax(dim=-1) * logits).sum(dim=-1), top_logprobs, top_ids
