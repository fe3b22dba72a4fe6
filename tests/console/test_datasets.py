import json
from pathlib import Path

import pytest

from clawstream.console.datasets import AskedError, building, file_of, versions


def a_version(root: Path, name: str, *files: str) -> None:
    folder = root / name
    folder.mkdir(parents=True)
    listed = [{"path": file, "rows": 1, "size_bytes": 2} for file in files]
    manifest = {"recipe": {"name": name}, "built": {"rows": 3, "content_sha256": "ab", "files": listed}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for file in files:
        if ".." not in file:
            (folder / file).write_text("x")


def test_versions_are_what_manifests_say(tmp_path: Path) -> None:
    a_version(tmp_path, "sums/1", "train-0.parquet")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{")
    (found,) = versions(tmp_path)
    assert (found.name, found.rows, found.files) == ("sums/1", 3, (("train-0.parquet", 1, 2),))


def test_only_files_that_a_manifest_names_are_served(tmp_path: Path) -> None:
    root = tmp_path / "datasets"
    a_version(root, "sums/1", "train-0.parquet", "../../../secret")
    (tmp_path / "secret").write_text("s")
    (root / "sums" / "1" / "other").write_text("o")
    assert file_of(root, "sums/1", "train-0.parquet") == root / "sums" / "1" / "train-0.parquet"
    assert file_of(root, "sums/1", "manifest.json") is not None
    for name, path in (
        ("sums/1", "other"),
        ("sums/1", "../../../secret"),
        ("..", "secret"),
        ("sums/2", "manifest.json"),
    ):
        assert file_of(root, name, path) is None


def test_what_is_typed_is_no_option() -> None:
    asked = building("sums", "steps", "reward>=0.5\n\n--output=/tmp/x", 0.25)
    assert asked == [
        "build",
        "sums",
        "--rows-from=steps",
        "--where=reward>=0.5",
        "--where=--output=/tmp/x",
        "--min-reward=0.25",
    ]


@pytest.mark.parametrize("name", ["", "--output", "a/b", "..", "a b", "a\nb"])
def test_a_name_is_a_name(name: str) -> None:
    with pytest.raises(AskedError):
        building(name, "samples", "", None)
