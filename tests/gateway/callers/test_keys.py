"""The keys file: what fits, and that only its keys fit."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.gateway.callers.keys import KeysError, digest_of, new_key, read_keys, tenant_of


def test_a_key_is_known_by_its_hash() -> None:
    first, second = new_key(), new_key()
    entries = read_keys(f'[acme]\nkeys = ["{digest_of(first)}"]\n[other]\nkeys = ["{digest_of(second)}"]')
    found = [tenant_of(digest_of(key), entries) for key in (first, second, new_key(), "")]
    assert found == ["acme", "other", None, None]
    assert first != second
    assert first not in repr(entries)


def test_a_tenant_may_have_several_keys_and_limits() -> None:
    text = f'[a]\nkeys = ["{digest_of("x")}", "{digest_of("y")}"]\ncalls_in_flight = 2\ntokens_per_day = 9'
    entries = read_keys(text)
    assert tenant_of(digest_of("y"), entries) == "a"
    assert (entries["a"].calls_in_flight, entries["a"].tokens_per_day, entries["a"].tokens_per_minute) == (2, 9, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a", "Expected"),
        ("a = 1", "Expected `object`"),
        ("[a]\ncolour = 1", "unknown field `colour`"),
        ("[a]\nkeys = 'x'", "Expected `array`"),
        ("[a]\nkeys = ['secret-key']", r"\[a\] keys: secret-k… is no SHA-256"),
        ("[a]\nrequests_per_minute = 0", "requests_per_minute: 0 is less than 1"),
        ("['../x']", "a tenant's name"),
        ("['']", "a tenant's name"),
        (f"[a]\nkeys = ['{'0' * 64}']\n[b]\nkeys = ['{'0' * 64}']", r"\[b\] keys: 00000000… is also a key of a"),
    ],
)
def test_what_does_not_fit_is_named(text: str, said: str) -> None:
    with pytest.raises(KeysError, match=said):
        read_keys(text)


@given(st.text())
def test_any_text_is_tenants_or_a_sentence(text: str) -> None:
    with contextlib.suppress(KeysError):
        assert isinstance(read_keys(text), dict)
