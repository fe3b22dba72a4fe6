"""Events are the same however their bytes are cut."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.gateway.chat.sse import SseDecoder, event


def decode(stream: bytes, cuts: list[int]) -> list[bytes]:
    decoder, events, start = SseDecoder(), [], 0
    for cut in [*sorted(cuts), len(stream)]:
        events += list(decoder.feed(stream[start:cut]))
        start = max(start, cut)
    return events


@given(st.data())
def test_cutting_the_bytes_changes_nothing(data: Any) -> None:
    lines = st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"").replace(b"\r", b""))
    sent = data.draw(st.lists(lines, max_size=8))
    stream = b"".join(event(line) for line in sent)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12))
    assert decode(stream, cuts) == sent


@given(st.lists(st.binary(max_size=64), max_size=8))
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    decoder = SseDecoder()
    for piece in pieces:
        for found in decoder.feed(piece):
            assert b"\r\n" not in found


def test_comments_carriage_returns_and_other_fields_are_understood() -> None:
    stream = b": ping\r\nevent: x\r\ndata:a\r\ndata: b\r\n\r\n\n\ndata: [DONE]\n\n"
    assert decode(stream, []) == [b"a\nb", b"[DONE]"]


@given(
    st.lists(st.sampled_from([b"data: a", b"data:", b"data", b": ping", b"event: x", b"", b"\n", b"\r"]), max_size=9)
)
def test_any_lines_are_the_same_in_one_piece_and_byte_by_byte(lines: list[bytes]) -> None:
    stream = b"\n".join([*lines, b"", b""])
    assert decode(stream, []) == decode(stream, list(range(len(stream))))


def test_an_event_without_its_end_is_not_given() -> None:
    assert decode(b"data: a\n", []) == []


def test_an_event_that_is_too_large_is_refused() -> None:
    decoder = SseDecoder(max_event_bytes=10)
    assert list(decoder.feed(b"data: 12345")) == []
    with pytest.raises(ValueError, match="larger than 10 bytes"):
        list(decoder.feed(b"x" * 20))


def test_many_events_do_not_add_up_to_a_large_one() -> None:
    decoder = SseDecoder(max_event_bytes=10)
    for _ in range(100):
        assert list(decoder.feed(event(b"12345678"))) == [b"12345678"]
