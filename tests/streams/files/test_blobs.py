"""The store on a folder, and on another file system of fsspec's."""

import json
from pathlib import Path

import pytest

from clawstream.schemas.blobs import moved, read_reference
from clawstream.streams.files.blobs import BlobError, BlobStore
from clawstream.streams.settings import SettingsError
from tests.schemas.test_blobs import PNG, image, user

MOVED, CONTENTS = moved([user(image())], 256)
((REFERENCE, _),) = CONTENTS.items()


@pytest.mark.parametrize("scheme", ["", "file://", "memory://"])
def test_what_was_put_is_found_again_by_its_tenant_alone(tmp_path: Path, scheme: str) -> None:
    store = BlobStore(f"{scheme}{tmp_path}/blobs/")
    for _ in range(2):
        store.put("a", REFERENCE, PNG)
    assert json.loads(store.resolve("a", json.dumps(MOVED))) == [user(image())]
    with pytest.raises(BlobError, match="of tenant b cannot be read"):
        store.resolve("b", json.dumps(MOVED))


def test_a_folder_has_each_content_once_and_whole(tmp_path: Path) -> None:
    store = BlobStore(str(tmp_path))
    store.put("../a", REFERENCE, PNG)
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert file.read_bytes() == PNG
    file.write_bytes(PNG[:10])  # as a disk that was full would leave it
    store.put("../a", REFERENCE, PNG)
    assert file.read_bytes() == PNG


def test_content_that_was_changed_is_not_given(tmp_path: Path) -> None:
    store, reference = BlobStore(str(tmp_path)), read_reference(REFERENCE)
    assert reference is not None
    store.put("a", REFERENCE, PNG)
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    file.write_bytes(PNG[::-1])
    with pytest.raises(BlobError, match="other content"):
        store.get("a", reference)


def test_a_store_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingsError, match=r"blob_url nothing://x"):
        BlobStore("nothing://x")
