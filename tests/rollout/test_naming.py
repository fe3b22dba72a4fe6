from hypothesis import given
from hypothesis import strategies as st

from clawstream.rollout.naming import model_of, version_of, versioned


@given(st.text(min_size=1), st.integers(min_value=0))
def test_a_name_says_model_and_version(model: str, version: int) -> None:
    name = versioned(model, version)
    assert (model_of(name), version_of(name)) == (model, str(version))


def test_what_names_no_version_is_a_model() -> None:
    assert (model_of("policy-a@b"), version_of("policy-a@b")) == ("policy-a@b", None)
