"""A tiny Qwen2 with random weights that vLLM serves and transformers trains, written in well under a second.

Invariant: the same seed writes the same bytes; other seeds write other weights of the same shapes, so they can be
swapped. It needs neither torch nor transformers.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

START, END, PAD = "<|im_start|>", "<|im_end|>", "<|pad|>"
CALL_START, CALL_END = "<tool_call>", "</tool_call>"  # ordinary tokens: vLLM drops special ones from what it parses
VOCABULARY_SIZE = 256 + 5  # one token per byte, and the marks
WIDTH, INNER, LAYERS, HEADS, KV_HEADS, HEAD_WIDTH = 128, 256, 2, 4, 2, 32
MAX_TOKENS = 4096

CHAT_TEMPLATE = """\
{%- if tools %}<|im_start|>system
Tools: {{ tools | tojson }}<|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content or '' }}
{%- for call in message.tool_calls or [] %}<tool_call>
{{ {'name': call.function.name, 'arguments': call.function.arguments} | tojson }}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def make_tiny_model(folder: Path, seed: int = 0) -> Path:
    """Write a model of about 0.3 M parameters into ``folder``; the folder, as Hugging Face lays it out."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_tokenizer(folder)
    save_file(_weights(np.random.default_rng(seed)), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(_config(), indent=2))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": _end_id(), "pad_token_id": 256}))
    return folder


def _tokenizer() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: n for n, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in (PAD, START, END)])
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in (CALL_START, CALL_END)])
    return tokenizer


def _end_id() -> int:
    found = _tokenizer().token_to_id(END)
    assert found is not None
    return found


def _write_tokenizer(folder: Path) -> None:
    tokenizer = _tokenizer()
    assert tokenizer.get_vocab_size() == VOCABULARY_SIZE
    tokenizer.save(str(folder / "tokenizer.json"))
    described = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "pad_token": PAD,
        "clean_up_tokenization_spaces": False,
        "model_max_length": MAX_TOKENS,
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(described, indent=2))


def _config() -> dict[str, object]:
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "vocab_size": VOCABULARY_SIZE,
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "hidden_act": "silu",
        "max_position_embeddings": MAX_TOKENS,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "eos_token_id": _end_id(),
        "pad_token_id": 256,
        "dtype": "float32",
    }


def _weights(random: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Every tensor by its name, each of shape (outputs, inputs), (outputs) or, for norms, (width)."""

    def normal(*shape: int) -> NDArray[np.float32]:
        return (0.05 * random.standard_normal(shape)).astype(np.float32)

    embedding = normal(VOCABULARY_SIZE, WIDTH)
    embedding[:, 0] = 2.0  # a constant in the residual stream ...
    embedding[_end_id(), 0] = 3.0  # ... by which every seventh token or so is the end, so that answers are complete
    weights = {
        "model.embed_tokens.weight": embedding,
        "model.norm.weight": np.ones(WIDTH, np.float32),
    }
    for layer in (f"model.layers.{n}." for n in range(LAYERS)):
        for projection, outputs in (("q", HEADS), ("k", KV_HEADS), ("v", KV_HEADS)):
            weights[f"{layer}self_attn.{projection}_proj.weight"] = normal(outputs * HEAD_WIDTH, WIDTH)
            weights[f"{layer}self_attn.{projection}_proj.bias"] = normal(outputs * HEAD_WIDTH)
        weights[f"{layer}self_attn.o_proj.weight"] = normal(WIDTH, HEADS * HEAD_WIDTH)
        weights[f"{layer}mlp.gate_proj.weight"] = normal(INNER, WIDTH)
        weights[f"{layer}mlp.up_proj.weight"] = normal(INNER, WIDTH)
        weights[f"{layer}mlp.down_proj.weight"] = normal(WIDTH, INNER)
        weights[f"{layer}input_layernorm.weight"] = np.ones(WIDTH, np.float32)
        weights[f"{layer}post_attention_layernorm.weight"] = np.ones(WIDTH, np.float32)
    return weights
