"""The demo's model, made on the spot: a tiny Qwen3 that vLLM serves and the trainer trains.

Invariant: a directory that exists is whole, and is reused only if the same settings and the same code made it (a hash
of both lies in it). The same seed makes the same weights on the same machine.

Two choices look arbitrary and are not:

* Qwen3 and not Qwen2: for Qwen2, transformers replaces a tokenizer's own splitting with Qwen2's.
* ``generation_config.json`` names the end and padding tokens alone: vLLM takes sampling defaults from that file.
"""

import hashlib
import json
import math
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

from clawstream.demo.lessons import Lessons, arithmetic
from clawstream.demo.tokenizer import make_tokenizer
from clawstream.demo.warmup import WarmupSettings, warm_up

_MADE_FROM = "made_from.sha256"
_CODE = ("model.py", "tokenizer.py", "warmup.py")
_TOKENIZER_TEXTS = 1000


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """The shape of the model.

    Attributes:
        layers: transformer blocks.
        width: of the residual stream; a multiple of ``heads``.
        heads: attention heads, two to a key-value head.
        vocab_size: most tokens; fewer if the texts have fewer pieces.
        max_tokens: longest sequence.
        rope_theta: small, because the sequences are: slow rotations tell no two of their positions apart.
        initial_std: of the blank weights; at this width copying is learned sooner than from the usual 0.02.
    """

    layers: int = 3
    width: int = 128
    heads: int = 4
    vocab_size: int = 512
    max_tokens: int = 512
    rope_theta: float = 100.0
    initial_std: float = 0.08


@dataclass(frozen=True, kw_only=True)
class MadeModel:
    """A model directory.

    Attributes:
        directory: config, weights, tokenizer and chat template, as Hugging Face lays them out.
        parameters: numbers in the weights, those that are shared counted once.
        seconds: it took to make; 0 when it was there already.
        reused: whether it was there already.
    """

    directory: Path
    parameters: int
    seconds: float
    reused: bool


def make_model(
    directory: Path | str,
    *,
    seed: int = 0,
    settings: ModelSettings | None = None,
    warmup: WarmupSettings | None = None,
    lessons: Lessons | None = None,
    progress: bool = True,
) -> MadeModel:
    """Make a model in ``directory``, or reuse the one that is there. What else was in ``directory`` is replaced.

    A ``warmup`` of 0 steps takes a second or two: a blank model that has the right form, for tests. ``lessons``: those
    that are not the demo's own, of which ``warmup`` says the mixture.
    """
    settings, warmup = settings or ModelSettings(), warmup or WarmupSettings()
    lessons, directory = lessons or arithmetic(warmup.mixture), Path(directory)
    made_from = _fingerprint(seed, settings, warmup, lessons)
    label = directory / _MADE_FROM
    if label.is_file() and label.read_text() == made_from:
        return MadeModel(directory=directory, parameters=_saved_parameters(directory), seconds=0.0, reused=True)
    started = time.monotonic()
    torch.manual_seed(seed)
    tokenizer = make_tokenizer(_texts(seed, lessons), vocab_size=settings.vocab_size)
    model = _blank(settings, tokenizer)
    warm_up(model, tokenizer, warmup, lessons, seed=seed, progress=progress)
    _save(directory, model, tokenizer, made_from)
    seconds = time.monotonic() - started
    return MadeModel(directory=directory, parameters=model.num_parameters(), seconds=seconds, reused=False)


def _fingerprint(seed: int, settings: ModelSettings, warmup: WarmupSettings, lessons: Lessons) -> str:
    digest = hashlib.sha256(json.dumps([seed, asdict(settings), asdict(warmup)]).encode())
    for path in (*(Path(__file__).with_name(name) for name in _CODE), *lessons.sources):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _texts(seed: int, lessons: Lessons) -> Iterator[str]:
    """Demonstrations as text: what the merges are learned from. A tokenizer of single bytes lends the chat template."""
    rng = random.Random(seed)  # noqa: S311  # nothing here is secret
    template = make_tokenizer([], vocab_size=0)
    for _ in range(_TOKENIZER_TEXTS):
        yield template.apply_chat_template(lessons.demonstrate(rng), tools=lessons.tools, tokenize=False)


def _blank(settings: ModelSettings, tokenizer: Any) -> Any:
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=settings.width,
        intermediate_size=3 * settings.width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads // 2,
        max_position_embeddings=settings.max_tokens,
        rope_parameters={"rope_type": "default", "rope_theta": settings.rope_theta},
        initializer_range=settings.initial_std,
        head_dim=settings.width // settings.heads,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="float32",
    )
    model = Qwen3ForCausalLM(config)
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=None
    )
    return model


def _save(directory: Path, model: Any, tokenizer: Any, made_from: str) -> None:
    partial = directory.with_name(f"{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    (partial / _MADE_FROM).write_text(made_from)
    shutil.rmtree(directory, ignore_errors=True)
    partial.rename(directory)


def _saved_parameters(directory: Path) -> int:
    with safe_open(directory / "model.safetensors", framework="pt") as weights:
        return sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
