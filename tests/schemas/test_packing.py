import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.schemas import (
    derived_id,
    new_id,
    pack_logprobs,
    pack_tokens,
    tokens_digest,
    unpack_logprobs,
    unpack_tokens,
)


@given(tokens=st.lists(st.integers(-(2**31), 2**31 - 1)))
def test_tokens_survive_packing(tokens: list[int]) -> None:
    assert unpack_tokens(pack_tokens(tokens)).tolist() == tokens


@given(logprobs=st.lists(st.floats(width=32, allow_nan=False)))
def test_logprobs_survive_packing(logprobs: list[float]) -> None:
    assert unpack_logprobs(pack_logprobs(logprobs)).tolist() == logprobs


def test_packed_tokens_are_little_endian_int32() -> None:
    assert pack_tokens([1, 258]) == b"\1\0\0\0\2\1\0\0"
    assert tokens_digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_token_beyond_int32_is_an_error() -> None:
    with pytest.raises(OverflowError):
        pack_tokens([2**31])


def test_a_torn_array_is_an_error() -> None:
    with pytest.raises(ValueError, match="multiple"):
        unpack_tokens(b"\1\2\3")


def test_unpacked_arrays_are_views() -> None:
    assert not unpack_tokens(pack_tokens([1])).flags.writeable
    assert unpack_logprobs(pack_logprobs([0.5])).dtype == np.float32


def test_derived_ids_depend_on_where_parts_end() -> None:
    assert derived_id("x", "ab", "c") != derived_id("x", "a", "bc")
    assert derived_id("x", "ab", "c") == derived_id("x", "ab", "c")


def test_new_ids_are_ordered_by_time() -> None:
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(set(ids))
