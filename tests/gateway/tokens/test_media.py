"""Images that were exchanged are seen, also where the log holds them by reference."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.gateway.tokens.media import NO_MEDIA, media_digests
from clawstream.schemas.blobs import moved
from clawstream.streams.settings import KafkaSettings
from tests.gateway.fake_node import DONE, FakeNode
from tests.gateway.harness import gateway
from tests.gateway.samples import answer_data
from tests.schemas.test_blobs import image, user

TEXT = {"type": "text", "text": "look"}
ANSWER = {"role": "assistant", "content": "hello"}
IMAGES = st.sampled_from([b"", b"a", b"a" * 600, b"b" * 600])
MESSAGES = st.lists(
    st.just(ANSWER) | st.builds(lambda parts: user(TEXT, *parts), st.lists(st.builds(image, IMAGES), max_size=2)),
    max_size=5,
)


@given(MESSAGES, st.sampled_from([1, 300, 10_000]), st.integers(0, 5))
def test_references_are_what_they_refer_to_and_digests_go_on(messages: list[Any], min_bytes: int, cut: int) -> None:
    whole = media_digests(messages)
    assert media_digests(moved(messages, min_bytes)[0]) == whole
    first = media_digests(messages[:cut])
    assert first + media_digests(messages[cut:], first[-1], len(messages[:cut]))[1:] == whole


@given(MESSAGES, MESSAGES)
def test_equal_digests_mean_equal_media_at_equal_places(one: list[Any], other: list[Any]) -> None:
    def media(messages: list[Any]) -> list[Any]:
        return [(at, each["content"][1:]) for at, each in enumerate(messages) if each["content"][1:] and each != ANSWER]

    assert (media_digests(one)[-1] == media_digests(other)[-1]) == (media(one) == media(other))
    assert (media_digests(one)[-1] == NO_MEDIA) == (media(one) == [])


@pytest.mark.kafka
@pytest.mark.parametrize("gateways", [1, 2])
async def test_a_step_whose_images_were_exchanged_is_written_whole(kafka: KafkaSettings, gateways: int) -> None:
    prompts = {1: [1, 7, 7, 2], 3: [1, 7, 7, 2, 10, 11, 3]}  # 7 stands for a piece of any image

    def node() -> FakeNode:
        return FakeNode(
            script=lambda body: [*answer_data(prompts[len(body["messages"])], [10, 11], text="hello"), DONE]
        )

    def asked(content: bytes) -> list[Any]:
        return [user(image(content), TEXT), ANSWER, {"role": "user", "content": "more"}]

    async with gateway(kafka, node()) as one, gateway(kafka, node()) as two:
        assert (await one.chat(messages=asked(b"a" * 20_000)[:1]))[0] == 200
        for content in (b"a", b"b"):
            client = one if gateways == 1 else two
            assert (await client.chat(messages=asked(content * 20_000)))[0] == 200
        first, same, other = await one.steps(3)
    assert (same.prompt_prefix and same.prompt_prefix.step_id) == first.step_id
    assert "blob:" not in same.new_messages_json
    assert other.prompt_prefix is None
    assert "blob:" in other.new_messages_json
    assert other.branch_reason == "media: the messages hold content parts other than text"
