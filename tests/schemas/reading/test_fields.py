import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.schemas.reading.fields import json_array, json_object

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(VALUES)
def test_what_was_written_is_read(value: object) -> None:
    text = json.dumps(value)
    assert json_array(text) == (value if isinstance(value, list) else [])
    assert json_object(text) == (value if isinstance(value, dict) else {})


@pytest.mark.parametrize("text", [None, "", "[", "nonsense", '"text"'])
def test_what_is_no_json_is_empty(text: str | None) -> None:
    assert json_array(text) == []
    assert json_object(text) == {}
