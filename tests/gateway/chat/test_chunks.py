"""Whatever a node sends is a chunk or a NodeError."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.gateway.chat.chunks import Chunk, read_chunk
from clawstream.gateway.chat.request import Wants
from clawstream.gateway.chat.view import visible
from clawstream.gateway.errors import NodeError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "delta", "usage", "token_ids", "logprobs", "content", "error", "id", "index"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def to_json(value: object) -> bytes:
    return json.dumps(value).encode()


@given(st.binary(max_size=100) | JSON.map(to_json))
def test_anything_is_a_chunk_or_an_error_of_the_node(data: bytes) -> None:
    try:
        chunk = read_chunk(data)
    except NodeError:
        return
    assert isinstance(chunk, Chunk)
    shown = visible(data, Wants(usage=False, logprobs=False, token_ids=False))
    assert shown is None or isinstance(msgspec.json.decode(shown), dict)


def test_an_error_event_keeps_its_status_and_body() -> None:
    data = b'{"error": {"message": "too long", "type": "BadRequestError", "param": null, "code": 400}}'
    with pytest.raises(NodeError) as raised:
        read_chunk(data)
    error = raised.value.as_api_error()
    assert (error.status, error.body, str(error)) == (400, data, "too long")


@pytest.mark.parametrize("bad", [b"[1]", b'{"choices": [{"token_ids": [-1]}]}', b'{"choices": [{"token_ids": ["a"]}]}'])
def test_ids_that_are_no_token_ids_are_refused(bad: bytes) -> None:
    with pytest.raises(NodeError, match="cannot be read"):
        read_chunk(bad)
