"""The model that the demo makes: whole, reused, the same from the same seed, and able to learn."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from clawstream.demo.agent import TOOLS
from clawstream.demo.model import MadeModel, ModelSettings, make_model
from clawstream.demo.tokenizer import CALL_START, END
from clawstream.demo.warmup import WarmupSettings

BLANK = WarmupSettings(steps=0)
FEW = WarmupSettings(steps=3, batch_size=4)
QUESTION = [{"role": "user", "content": "State the final answer to the following arithmetic problem: 43 + 14 ="}]


def make(directory: Path, **options: Any) -> MadeModel:
    return make_model(directory, **({"warmup": BLANK, "progress": False} | options))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeModel:
    return make(tmp_path_factory.mktemp("demo") / "model")


def test_the_directory_has_all_that_vllm_reads(made: MadeModel) -> None:
    names = {path.name for path in made.directory.iterdir()}
    needed = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert needed | {"chat_template.jinja"} <= names


def test_it_is_small_and_quick_to_make(made: MadeModel) -> None:
    assert 200_000 < made.parameters < 4_000_000
    assert made.seconds < 30
    assert not made.reused


def test_parameters_are_those_of_the_weights(made: MadeModel) -> None:
    weights = load_file(made.directory / "model.safetensors")
    assert made.parameters == sum(tensor.numel() for tensor in weights.values())


def test_the_tokenizer_that_others_load_is_the_one_that_was_made(made: MadeModel) -> None:
    tokenizer = AutoTokenizer.from_pretrained(made.directory)
    text = tokenizer.apply_chat_template(QUESTION, tools=TOOLS, tokenize=False, add_generation_prompt=True)
    token_ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(token_ids) == text
    assert len(token_ids) < 30
    assert tokenizer.convert_tokens_to_ids(CALL_START) not in tokenizer.all_special_ids


def test_generation_stops_at_the_end_mark_and_changes_no_sampling_default(made: MadeModel) -> None:
    generation = json.loads((made.directory / "generation_config.json").read_text())
    end = AutoTokenizer.from_pretrained(made.directory).convert_tokens_to_ids(END)
    assert generation.pop("eos_token_id") == end
    assert set(generation) <= {"pad_token_id", "transformers_version", "_from_model_config"}


def test_weights_are_float32_and_untied_as_a_hot_swap_needs(made: MadeModel) -> None:
    model = AutoModelForCausalLM.from_pretrained(made.directory)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert "lm_head.weight" in load_file(made.directory / "model.safetensors")


def test_the_same_settings_reuse_it(made: MadeModel) -> None:
    again = make(made.directory)
    assert (again.reused, again.parameters, again.seconds) == (True, made.parameters, 0.0)


@pytest.mark.parametrize("other", [{"seed": 1}, {"settings": ModelSettings(layers=1)}, {"warmup": FEW}])
def test_other_settings_make_it_anew(tmp_path: Path, other: dict[str, Any]) -> None:
    make(tmp_path / "model")
    assert not make(tmp_path / "model", **other).reused


def test_what_was_left_half_made_is_made_anew(tmp_path: Path) -> None:
    make(tmp_path / "model")
    (tmp_path / "model" / "made_from.sha256").unlink()
    assert not make(tmp_path / "model").reused
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_one_seed_gives_the_same_weights(tmp_path: Path) -> None:
    first, second = (load_file(make(tmp_path / name, warmup=FEW).directory / "model.safetensors") for name in "ab")
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_warm_up_learns(tmp_path: Path) -> None:
    settings = ModelSettings(layers=1, width=64, heads=2)
    warmup = WarmupSettings(steps=40, batch_size=16, rise_steps=5)
    made = make(tmp_path / "model", settings=settings, warmup=warmup)
    tokenizer = AutoTokenizer.from_pretrained(made.directory)
    model = AutoModelForCausalLM.from_pretrained(made.directory)
    text = tokenizer.apply_chat_template(QUESTION, tools=TOOLS, tokenize=False, add_generation_prompt=True)
    with torch.no_grad():
        chances = model(**tokenizer(text, return_tensors="pt")).logits[0, -1].softmax(-1)
    assert chances[tokenizer.convert_tokens_to_ids(CALL_START)] > 0.5
