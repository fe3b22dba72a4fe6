"""Attention over packed prefix trees, as an attention implementation of transformers.

Invariant: results are those of causal attention over each sequence alone, whatever else is packed beside it. Without a
layout it is plain causal attention.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from clawstream.trainer.batches.packed import Branch, Layout

NAME = "clawstream_packed"


def register() -> None:
    """Make the implementation known to transformers under :data:`NAME`."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, packed_attention)


def can_pack(model_class: Any, config: Any) -> bool:
    """Whether every layer of the model is plain causal attention that may be replaced."""
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    return (
        bool(getattr(model_class, "_supports_attention_backend", False))
        and kinds == {"full_attention"}
        and getattr(config, "sliding_window", None) in (None, 0)
        and getattr(config, "attn_logit_softcapping", None) is None
    )


def packed_attention(
    _module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    layout: Layout | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """``query`` ``[1, H, P, D]``, ``key`` and ``value`` ``[1, Hkv, P, D]``; the result is ``[1, P, H, D]``."""
    del attention_mask  # the layout says it all
    options: dict[str, Any] = {"scale": scaling, "dropout_p": dropout, "enable_gqa": query.shape[1] != key.shape[1]}
    if layout is None:
        attended = scaled_dot_product_attention(query, key, value, is_causal=True, **options)
        return attended.transpose(1, 2).contiguous(), None
    query, key, value = query[0], key[0], value[0]
    parts = [_bucket(query, key, value, bucket, options) for bucket in layout.buckets]
    parts += [_branch(query, key, value, branch, options) for branch in layout.branches]
    return torch.cat(parts)[layout.order][None], None


def _bucket(query: Tensor, key: Tensor, value: Tensor, at: Tensor, options: dict[str, Any]) -> Tensor:
    q, k, v = (of[:, at].transpose(0, 1) for of in (query, key, value))  # [b, H, t, D]
    attended = scaled_dot_product_attention(q, k, v, is_causal=True, **options)
    return attended.transpose(1, 2).reshape(at.numel(), *attended.shape[1::2])


def _branch(query: Tensor, key: Tensor, value: Tensor, branch: Branch, options: dict[str, Any]) -> Tensor:
    length, depth = branch.end - branch.start, len(branch.path)
    before = torch.ones(length, depth, dtype=torch.bool, device=query.device).tril(depth - length)
    q, k, v = query[:, branch.start : branch.end], key[:, branch.path], value[:, branch.path]
    attended = scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=before, **options)
    return attended[0].transpose(0, 1)
