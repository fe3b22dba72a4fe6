"""Hints go to the end of the last message, in the words of the chat template."""

from pathlib import Path
from typing import Any

import pytest

from clawstream.trainer.errors import TrainerError
from clawstream.trainer.models.hint_writer import HintWriter
from tests.tiny_model import make_tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model"))


def ids(folder: Path, content: str, **options: Any) -> list[int]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    messages = [{"role": "system", "content": "a"}, {"role": "user", "content": content}]
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False, **options)
    return list(tokenizer.encode(text, add_special_tokens=False))


def test_the_hinted_prompt_is_that_of_the_hinted_message(folder: Path) -> None:
    hinted = HintWriter(folder).write(ids(folder, "fix it"), "be brief")
    assert hinted == ids(folder, "fix it\n\n[user's hint / instruction]\nbe brief")


def test_an_empty_hint_changes_nothing_and_a_foreign_prompt_has_no_place(folder: Path) -> None:
    writer = HintWriter(folder)
    assert writer.write([1, 2, 3], "") == [1, 2, 3]
    assert writer.write([1, 2, 3], "be brief") is None


def test_a_model_without_a_template_is_named(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = (tmp_path / "tokenizer_config.json").read_text().replace("chat_template", "other")
    (tmp_path / "tokenizer_config.json").write_text(config)
    with pytest.raises(TrainerError, match="has no chat template"):
        HintWriter(tmp_path)
