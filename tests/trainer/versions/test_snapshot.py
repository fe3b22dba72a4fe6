"""Snapshots have the first version's files and other weights; digests are of the safetensors alone."""

import hashlib
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM

from clawstream.streams.files.snapshots import SnapshotError, weights_digest
from clawstream.trainer.versions.snapshot import copy_initial, write_snapshot
from tests.tiny_model import make_tiny_model


def test_digest_of_one_file_is_that_of_the_file(tmp_path: Path) -> None:
    make_tiny_model(tmp_path)
    expected = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    assert weights_digest(tmp_path) == expected


def test_digest_of_shards_is_of_all_in_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(b"two")
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(b"one")
    assert weights_digest(tmp_path) == hashlib.sha256(b"onetwo").hexdigest()


def test_no_safetensors_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="holds no safetensors file"):
        weights_digest(tmp_path)


def test_copy_of_the_initial_model_is_exact_and_without_other_formats(tmp_path: Path) -> None:
    model, copy = make_tiny_model(tmp_path / "model"), tmp_path / "copy"
    (model / "pytorch_model.bin").write_bytes(b"not this")
    copy.mkdir()
    copy_initial(model, copy)
    names = {path.name for path in model.iterdir()} - {"pytorch_model.bin"}
    assert {path.name for path in copy.iterdir()} == names
    assert all((copy / name).read_bytes() == (model / name).read_bytes() for name in names)


def test_snapshot_is_loaded_with_the_same_tokenizer_and_weights(tmp_path: Path) -> None:
    model, folder = make_tiny_model(tmp_path / "model"), tmp_path / "snapshot"
    folder.mkdir()
    language_model = AutoModelForCausalLM.from_pretrained(model)
    language_model.model.norm.weight.data.fill_(0.5)
    write_snapshot(language_model, dict(language_model.state_dict()), model, folder)
    assert (folder / "tokenizer.json").read_bytes() == (model / "tokenizer.json").read_bytes()
    assert (folder / "config.json").read_bytes() == (model / "config.json").read_bytes()
    again = AutoModelForCausalLM.from_pretrained(folder)
    assert again.model.norm.weight.detach().unique().tolist() == [0.5]
    assert weights_digest(folder) != weights_digest(model)
