"""Policy and critic as modules over a Hugging Face causal language model.

Invariant: the policy's log-probabilities are those of the distribution that was sampled from: logits divided by the
response's temperature, log-softmax in float32. Outputs are ``[B, T]``, aligned with the token they speak of and 0 where
``mask`` is false. Sequences are padded on the right, so causal attention needs no attention mask.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from clawstream.trainer.errors import TrainerError
from clawstream.trainer.usable import ModelLimits

_MAX_LOGITS = 2**25  # float32 logits held at once: 128 MiB, and as much again for their gradient
_LOGIT_CHANGES = ("final_logit_softcapping", "logit_scale", "logits_scaling")  # heads that do more than multiply


def load_language_model(folder: Path, dtype: torch.dtype, *, gradient_checkpointing: bool = False) -> Any:
    """The causal language model in ``folder``, from its safetensors. Raises ``TrainerError`` when it does not fit."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, local_files_only=True, use_safetensors=True, attn_implementation="sdpa"
        )
    except (OSError, ValueError) as error:
        raise TrainerError(f"{folder} holds no causal language model that can be trained: {error}") from error
    for name in _LOGIT_CHANGES:
        if getattr(model.config.get_text_config(), name, None) not in (None, 1.0):
            raise TrainerError(f"{folder}: {name} changes the logits after the head, which the trainer does not follow")
    model.train()  # dropout, if the model has any, is the model's own choice
    if gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return model


def limits_of(model: Any) -> ModelLimits:
    """What ``model`` can take in."""
    config = model.config.get_text_config()
    return ModelLimits(max_positions=int(config.max_position_embeddings), vocabulary_size=int(config.vocab_size))


class Policy(nn.Module):
    """Log-probabilities and entropies of sampled tokens."""

    def __init__(self, language_model: Any) -> None:
        super().__init__()
        self.language_model = language_model

    def forward(
        self, tokens: Tensor, mask: Tensor, temperatures: Tensor, with_entropy: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Log-probability of each sampled token and entropy of its distribution in nats, ``[B, T]`` float32 each.

        Entropies are 0 unless asked for: they cost as much as the log-probabilities.
        """
        head = self.language_model.get_output_embeddings()
        hidden = _before_sampled(self.language_model.base_model, tokens, mask)
        rows = max(1, _MAX_LOGITS // head.out_features)
        parts = (torch.split(of_sampled, rows) for of_sampled in (hidden, tokens[mask], temperatures[mask]))
        chunks: Iterator[tuple[Tensor, ...]] = zip(*parts, strict=True)
        if len(hidden) <= rows:
            pairs = [_logprobs(head, chunk, with_entropy) for chunk in chunks]
        else:
            pairs = [checkpoint(_logprobs, head, chunk, with_entropy, use_reentrant=False) for chunk in chunks]
        logprobs, entropies = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        return _scatter(logprobs, mask), _scatter(entropies, mask)


class Critic(nn.Module):
    """Values of the states in which tokens were sampled: the backbone and a linear head that begins at 0."""

    def __init__(self, language_model: Any) -> None:
        super().__init__()
        self.backbone = language_model.base_model
        width = language_model.config.get_text_config().hidden_size
        self.head = nn.Linear(width, 1, dtype=language_model.dtype)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Value of the state before each sampled token, ``[B, T]`` float32."""
        hidden = _before_sampled(self.backbone, tokens, mask)
        return _scatter(self.head(hidden).float()[:, 0], mask)


def _before_sampled(backbone: Any, tokens: Tensor, mask: Tensor) -> Tensor:
    """Hidden states ``[N, width]`` that predict the tokens under ``mask``; the first column is never sampled."""
    hidden = backbone(input_ids=tokens, use_cache=False).last_hidden_state
    return cast(Tensor, hidden[:, :-1][mask[:, 1:]])


def _logprobs(head: Any, chunk: tuple[Tensor, ...], with_entropy: bool) -> tuple[Tensor, Tensor]:
    hidden, sampled, temperatures = chunk
    logits = head(hidden).float() / temperatures[:, None]
    normaliser = logits.logsumexp(dim=-1)
    logprobs = logits.gather(1, sampled[:, None])[:, 0] - normaliser
    if not with_entropy:
        return logprobs, torch.zeros_like(logprobs)
    return logprobs, normaliser - (logits.softmax(dim=-1) * logits).sum(dim=-1)


def _scatter(of_sampled: Tensor, mask: Tensor) -> Tensor:
    return torch.zeros(mask.shape, dtype=of_sampled.dtype, device=mask.device).masked_scatter(mask, of_sampled)
