"""Adapters: only they are trained, and what is published has them in."""

from pathlib import Path

import pytest
import torch

from clawstream.trainer.batches.batch import collate_sequences
from clawstream.trainer.batches.packed import pack
from clawstream.trainer.errors import TrainerError
from clawstream.trainer.models.adapters import adapter_of, add_adapters, merged, read_adapter, write_adapter
from clawstream.trainer.models.language import Policy, load_language_model
from clawstream.trainer.settings import TrainerSettings
from tests.tiny_model import make_tiny_model
from tests.trainer.trees import BRANCHING


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model"))


def test_merged_weights_are_the_plain_models_and_give_the_same(folder: Path) -> None:
    adapted, plain = (load_language_model(folder, torch.float32) for _ in range(2))
    settings = TrainerSettings(model=folder, lora_rank=4, lora_alpha=8)
    add_adapters(adapted, settings)
    trained = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    assert trained
    assert all(".lora_" in name for name in trained)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if ".lora_B." in name:
                parameter.normal_(std=0.1)
    found = merged(dict(adapted.state_dict()), 2.0)
    assert set(found) == set(plain.state_dict())
    packed = pack(collate_sequences([BRANCHING]), torch.tensor([0]), torch.device("cpu"))
    with torch.no_grad():
        before, *_ = Policy(plain)(packed)
        expected, *_ = Policy(adapted)(packed)
        plain.load_state_dict(found)
        torch.testing.assert_close(Policy(plain)(packed)[0], expected, atol=1e-4, rtol=1e-4)
    assert float((before - expected).abs().max()) > 0.01


def test_layers_that_are_not_there_are_named(folder: Path) -> None:
    model = load_language_model(folder, torch.float32)
    with pytest.raises(TrainerError, match=r"trainer\.lora_targets nothing: Target modules"):
        add_adapters(model, TrainerSettings(model=folder, lora_rank=4, lora_targets="nothing"))


def test_an_adapter_in_a_file_is_read_back_as_it_was_by_us_and_by_peft(folder: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    settings = TrainerSettings(model=folder, lora_rank=4, lora_alpha=8)
    written, read, plain = (load_language_model(folder, torch.float32) for _ in range(3))
    for model in (written, read):
        add_adapters(model, settings)
    with torch.no_grad():
        for name, parameter in written.named_parameters():
            if ".lora_" in name:
                parameter.normal_(std=0.1)
    write_adapter(adapter_of(dict(written.state_dict())), settings, tmp_path)
    read_adapter(tmp_path, read, settings)
    packed = pack(collate_sequences([BRANCHING]), torch.tensor([0]), torch.device("cpu"))
    with torch.no_grad():
        expected = Policy(written)(packed)[0]
        assert torch.equal(Policy(read)(packed)[0], expected)
        by_peft = PeftModel.from_pretrained(plain, tmp_path).base_model.model
        torch.testing.assert_close(Policy(by_peft)(packed)[0], expected, atol=1e-6, rtol=0)


def test_an_adapter_of_another_rank_is_refused(folder: Path, tmp_path: Path) -> None:
    models = [load_language_model(folder, torch.float32) for _ in range(2)]
    found = [TrainerSettings(model=folder, lora_rank=rank) for rank in (4, 8)]
    for model, settings in zip(models, found, strict=True):
        add_adapters(model, settings)
    write_adapter(adapter_of(dict(models[0].state_dict())), found[0], tmp_path)
    with pytest.raises(TrainerError, match="another rank"):
        read_adapter(tmp_path, models[1], found[1])
    with pytest.raises(TrainerError, match="lora_alpha"):
        read_adapter(tmp_path, models[0], found[0].model_copy(update={"lora_alpha": 1}))
