import hashlib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from clawstream.streams.spill import Spill

ITEMS = st.lists(st.tuples(st.binary(max_size=2), st.binary(max_size=40)), max_size=60)


@given(items=ITEMS, bucket_bytes=st.sampled_from([1, 200, 10_000]))
@settings(max_examples=30)
def test_each_key_comes_once_with_all_of_its_items_in_order(
    tmp_path_factory: object, items: list[tuple[bytes, bytes]], bucket_bytes: int
) -> None:
    folder = Path(tmp_path_factory.mktemp("spill")) / "items"  # type: ignore[attr-defined]
    spill = Spill(folder, bucket_bytes)
    for key, item in items:
        spill.add(key, item)
    keys = sorted({key for key, _ in items}, key=lambda key: hashlib.sha256(key).digest())
    assert list(spill.groups()) == [[item for other, item in items if other == key] for key in keys]
    assert spill.item_count == len(items)
    assert not folder.exists()
