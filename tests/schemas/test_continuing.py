from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.schemas import pack_tokens
from clawstream.schemas.continuing import Continues


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1), st.integers(0, 99))
def test_it_is_read_as_it_was_written(tokens: list[int], index: int) -> None:
    asked = Continues(tokens=pack_tokens(tokens), answer_index=index)
    assert Continues.from_json(asked.as_json()) == asked


@pytest.mark.parametrize(
    "value",
    [
        *(None, [], {}, {"answer_index": "1", "tokens": "AAAA"}, {"answer_index": True, "tokens": "AAAAAA=="}),
        *({"answer_index": -1, "tokens": "AAAAAA=="}, {"answer_index": 1, "tokens": "?"}),
        *({"answer_index": 1, "tokens": ""}, {"answer_index": 1, "tokens": "AAAA"}),
    ],
)
def test_what_is_wrong_is_said(value: Any) -> None:
    with pytest.raises(ValueError, match="clawstream_continues"):
        Continues.from_json(value)
