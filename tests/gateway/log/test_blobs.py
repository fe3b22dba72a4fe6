"""Large content parts against a whole gateway: one copy in the store, references in the log, the request as it was."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from clawstream.streams.files.blobs import BlobStore
from clawstream.streams.settings import KafkaSettings
from tests.gateway.fake_node import FakeNode
from tests.gateway.harness import gateway
from tests.schemas.test_blobs import image

pytestmark = pytest.mark.kafka

PNG = bytes(range(256)) * 400
DATA = base64.b64encode(PNG).decode()
OPENAI = {"type": "text", "text": "look"}, image(PNG)
ANTHROPIC = OPENAI[0], {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}}
RESPONSES = (
    {"type": "input_text", "text": "look"},
    {"type": "input_image", "image_url": f"data:image/png;base64,{DATA}", "detail": "high"},
)


@pytest.fixture
def stored(kafka: KafkaSettings, tmp_path: Path) -> KafkaSettings:
    """Content is kept in a folder of this test's own."""
    return kafka.model_copy(update={"blob_url": str(tmp_path / "blobs")})


class Refusing(MemoryFileSystem):  # type: ignore[misc]
    """An object store whose key is wrong, with an error that is no ``OSError``, as those of object stores are."""

    protocol = "refusing"

    def pipe_file(self, *_: object, **__: object) -> None:
        """Fails."""
        raise RuntimeError("the key is wrong")


fsspec.register_implementation("refusing", Refusing, clobber=True)


def block(kafka: KafkaSettings) -> None:
    """Nothing can be written."""
    Path(kafka.blob_url).write_text("a file where the folder should be")


def files(kafka: KafkaSettings) -> list[Path]:
    return [path for path in Path(kafka.blob_url).rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("chat/completions", {"messages": [{"role": "user", "content": OPENAI}]}),
        ("messages", {"messages": [{"role": "user", "content": ANTHROPIC}], "max_tokens": 9}),
        ("responses", {"input": [{"role": "user", "content": RESPONSES}]}),
    ],
)
async def test_an_image_is_kept_once_in_every_dialect(stored: KafkaSettings, path: str, body: dict[str, Any]) -> None:
    node = FakeNode()
    async with gateway(stored, node) as client:
        for trajectory in ("t", "u"):
            assert (await client.post(f"/{trajectory}/g/v1/{path}", {"model": "policy"} | body))[0] == 200
        steps = await client.steps(2)
    assert [file.read_bytes() for file in files(stored)] == [PNG]
    for step, sent in zip(steps, node.bodies, strict=True):
        assert len(step.new_messages_json) < 1000
        whole = json.loads(BlobStore(stored.blob_url).resolve(step.tenant, step.new_messages_json))
        assert whole == sent["messages"]
        assert DATA in json.dumps(sent)


async def test_an_object_store_keeps_it_as_a_folder_does(kafka: KafkaSettings) -> None:
    kafka = kafka.model_copy(update={"blob_url": f"memory://{kafka.topic_prefix}/blobs"})
    async with gateway(kafka, FakeNode()) as client:
        for _ in range(2):
            assert (await client.chat(messages=[{"role": "user", "content": OPENAI}]))[0] == 200
        steps = await client.steps(2)
    (path,) = MemoryFileSystem().find(f"/{kafka.topic_prefix}/blobs")
    assert path.endswith(
        f"/blobs/tenant=default/{hashlib.sha256(PNG).hexdigest()[:2]}/{hashlib.sha256(PNG).hexdigest()}"
    )
    for step in steps:
        whole = json.loads(BlobStore(kafka.blob_url).resolve(step.tenant, step.new_messages_json))
        assert whole[0]["content"] == list(OPENAI)


async def test_an_object_store_that_refuses_is_like_kafka_that_does(
    kafka: KafkaSettings, caplog: pytest.LogCaptureFixture
) -> None:
    async with gateway(kafka.model_copy(update={"blob_url": "refusing://blobs"}), FakeNode()) as client:
        status, _, body = await client.chat(messages=[{"role": "user", "content": OPENAI}])
        assert (status, body["error"]["code"]) == (503, "not_recorded")
        assert "key" not in body["error"]["message"]
        assert await client.steps(0) == []
    assert "of tenant default cannot be written: the key is wrong" in caplog.text


async def test_a_history_of_images_stays_far_below_kafkas_limit(stored: KafkaSettings) -> None:
    shots = [image(bytes([number]) * 300_000) for number in range(10)]
    messages = [{"role": "user", "content": [shot]} for shot in shots]
    async with gateway(stored, FakeNode()) as client:
        for turn in (5, 10):
            status, _, body = await client.chat(messages=messages[:turn])
            assert status == 200, body
        steps = await client.steps(2)
    assert len(files(stored)) == 10
    assert max(len(step.new_messages_json) for step in steps) < 3000


async def test_small_parts_and_texts_stay_in_the_step(stored: KafkaSettings) -> None:
    content = [{"type": "text", "text": "x" * 50_000}, image(b"small")]
    async with gateway(stored, FakeNode()) as client:
        await client.chat(messages=[{"role": "user", "content": content}])
        (step,) = await client.steps(1)
    assert json.loads(step.new_messages_json)[0]["content"] == content
    assert files(stored) == []


@pytest.mark.parametrize(("outage", "status"), [("refuse", 503), ("serve", 200)])
async def test_content_that_cannot_be_written_is_like_a_step_that_cannot(
    stored: KafkaSettings, outage: str, status: int
) -> None:
    block(stored)
    async with gateway(stored, FakeNode(), outage=outage) as client:
        found, headers, body = await client.chat(messages=[{"role": "user", "content": OPENAI}])
        assert found == status
        if outage == "refuse":
            assert body["error"]["code"] == "not_recorded"
            assert headers["Retry-After"] == "1"
        else:
            assert headers["X-ClawStream-Recorded"] == "false"
        assert await client.steps(0) == []
        assert (await client.chat())[0] == 200


async def test_without_a_store_content_stays_in_the_step(kafka: KafkaSettings) -> None:
    async with gateway(kafka.model_copy(update={"blob_url": ""}), FakeNode()) as client:
        await client.chat(messages=[{"role": "user", "content": OPENAI}])
        (step,) = await client.steps(1)
    assert json.loads(step.new_messages_json)[0]["content"][1] == image(PNG)
