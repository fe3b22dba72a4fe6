import json
from pathlib import Path

import msgspec
import pytest

from clawstream.dataset.exports import export
from clawstream.schemas.blobs import moved
from clawstream.streams.files.blobs import BlobStore
from tests.dataset.builders import a_dataset, a_row

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgo="}}


def quiet(what: str, done: int, total: int, /) -> None:
    assert 0 < done <= total


def test_large_parts_are_put_back(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": [IMAGE]}, {"role": "assistant", "content": "a cat"}]
    referring, contents = moved(messages, min_bytes=1)
    blobs = BlobStore(str(tmp_path / "blobs"))
    for reference, content in contents.items():
        blobs.put("default", reference, content)
    dataset = a_dataset(tmp_path / "v1", [a_row(messages_json=msgspec.json.encode(referring).decode())])
    export(dataset, "chat", tmp_path / "referring", quiet)
    export(dataset, "chat", tmp_path / "whole", quiet, blobs=blobs)
    assert json.loads((tmp_path / "referring" / "train.jsonl").read_text())["messages"] == referring
    assert json.loads((tmp_path / "whole" / "train.jsonl").read_text())["messages"] == messages


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    dataset = a_dataset(tmp_path / "v1", [a_row(messages_json="no JSON")])
    with pytest.raises(msgspec.DecodeError):
        export(dataset, "chat", tmp_path / "chat", quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]
