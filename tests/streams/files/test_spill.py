import hashlib
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from clawstream.streams.files.spill import Spill

ITEMS = st.lists(st.tuples(st.binary(max_size=2), st.binary(max_size=40)), max_size=60)


@given(items=ITEMS, bucket_bytes=st.sampled_from([1, 200, 10_000]))
@settings(max_examples=30)
def test_each_key_comes_once_with_all_of_its_items_in_order(
    tmp_path_factory: object, items: list[tuple[bytes, bytes]], bucket_bytes: int
) -> None:
    folder = Path(tmp_path_factory.mktemp("spill")) / "items"  # type: ignore[attr-defined]
    spill = Spill(folder, bucket_bytes)
    for key, item in items:
        spill.add(item, key)
    keys = sorted({key for key, _ in items}, key=lambda key: hashlib.sha256(key).digest())
    assert list(spill.groups()) == [[item for other, item in items if other == key] for key in keys]
    assert spill.item_count == len(items)
    assert not folder.exists()


def test_a_key_of_two_parts_is_ordered_by_the_first_then_by_the_second(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "items", bucket_bytes=1)
    for number in range(60):
        spill.add(bytes([number % 5]), bytes([number % 5]), bytes([number]))
    firsts = [group[0] for group in spill.groups()]
    assert len(firsts) == 60
    assert sum(one != other for one, other in pairwise(firsts)) == 4
