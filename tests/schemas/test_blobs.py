"""Moved and restored: the same to the last character."""

import base64
import hashlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clawstream.schemas.blobs import Reference, moved, read_reference, restored

PNG = bytes(range(256)) * 4


def image(content: bytes = PNG, head: str = "data:image/png;base64,") -> dict[str, Any]:
    """A part as GUI agents send it."""
    return {"type": "image_url", "image_url": {"url": head + base64.b64encode(content).decode(), "detail": "high"}}


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def back(messages: list[Any], contents: dict[str, bytes]) -> list[Any]:
    by_hash = {hashlib.sha256(content).hexdigest(): content for content in contents.values()}
    return restored(messages, lambda reference: by_hash[reference.sha256])


def test_an_image_becomes_a_reference_with_type_and_size() -> None:
    text = {"type": "text", "text": "x" * 5000}
    (message,), contents = moved([user(text, image())], 256)
    reference = message["content"][1]["image_url"]["url"]
    assert read_reference(reference) == Reference(hashlib.sha256(PNG).hexdigest(), len(PNG), "image/png")
    assert contents == {reference: PNG}
    assert message["content"][0] == text
    assert message["content"][1]["image_url"]["detail"] == "high"


def test_equal_content_is_one_and_small_content_stays() -> None:
    messages, contents = moved([user(image()), user(image(), image(b"small"))], 256)
    assert len(contents) == 1
    assert messages[1]["content"][1] == image(b"small")


def test_nothing_of_the_request_is_changed() -> None:
    messages = [user(image()), {"role": "user", "content": "x" * 5000}]
    before = repr(messages)
    moved(messages, 256)
    assert repr(messages) == before


STRINGS = st.one_of(
    st.text(),
    st.binary().map(lambda data: "data:image/png;base64," + base64.b64encode(data).decode()),
    st.binary().map(lambda data: "data:text/plain;base64," + base64.b64encode(data).decode()),
    st.binary().map(lambda data: "data:a b&c;base64," + base64.b64encode(data).decode()),
    st.text().map("data:image/png;base64,".__add__),
    st.sampled_from([f"blob:sha256:{'0' * 64}?size=1&type=image/png", "blob:sha256:", "data:;base64,", "\ud800"]),
)
PARTS = st.recursive(
    STRINGS | st.none() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(st.lists(st.dictionaries(st.sampled_from(["content", "role"]), st.lists(PARTS) | STRINGS)), st.integers(0, 40))
def test_restored_undoes_moved(messages: list[Any], min_bytes: int) -> None:
    changed, contents = moved(messages, min_bytes)
    assert back(changed, contents) == messages
    assert all(read_reference(reference) is not None for reference in contents)
