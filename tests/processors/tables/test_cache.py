from hypothesis import given
from hypothesis import strategies as st

from clawstream.processors.tables.cache import RecordCache


def test_what_was_put_in_first_goes_first() -> None:
    cache = RecordCache[str](100)
    for name in ("a", "b", "c"):
        cache.put(name.encode(), name, 40)
    assert [cache.get(name) for name in (b"a", b"b", b"c")] == [None, "b", "c"]


def test_what_is_larger_than_all_is_not_kept() -> None:
    cache = RecordCache[str](100)
    cache.put(b"a", "a", 101)
    assert cache.get(b"a") is None


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c", b"d"]), st.integers(0, 60), st.booleans())))
def test_it_gives_back_what_was_put_in_last_and_never_too_much(acts: list[tuple[bytes, int, bool]]) -> None:
    cache, last = RecordCache[int](100), dict[bytes, int]()
    for number, (key, size, put) in enumerate(acts):
        if put:
            cache.put(key, number, size)
            last[key] = number
        else:
            cache.drop(key)
            last.pop(key, None)
        found = {known: cache.get(known) for known in last}
        assert all(value in (None, last[known]) for known, value in found.items())
        assert cache._bytes == sum(size for _, size in cache._records.values()) <= 100
