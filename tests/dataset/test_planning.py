from pathlib import Path

import pytest

from clawstream.dataset.errors import DatasetError
from clawstream.dataset.manifest import MANIFEST, Recipe, read_manifest
from clawstream.dataset.planning import all_versions, checked, folder_of, following, next_version, planned
from clawstream.streams.settings import KafkaSettings
from tests.dataset.builders import a_dataset, a_row


def test_versions_are_counted_and_know_their_parents(tmp_path: Path) -> None:
    assert next_version(tmp_path, "sums") == tmp_path / "sums" / "v1"
    assert following(Recipe(name="sums"), tmp_path) == Recipe(name="sums")
    for number in (1, 2, 10):
        a_dataset(tmp_path / "sums" / f"v{number}", [a_row(f"t{number}")], forgotten=["acme"])
    (tmp_path / "sums" / "v99").mkdir()  # no dataset
    (tmp_path / "sums" / "vx").mkdir()
    assert next_version(tmp_path, "sums").name == "v11"
    newest = read_manifest(tmp_path / "sums" / "v10").built.content_sha256
    heir = Recipe(name="sums", parent=newest, forgotten=["acme", "t1"])
    assert following(Recipe(name="sums", forgotten=["t1"]), tmp_path) == heir
    assert [folder.name for folder in all_versions(tmp_path)] == ["v1", "v2", "v10"]


def test_a_dataset_is_found_by_name_by_version_and_by_folder(tmp_path: Path) -> None:
    first, second = (a_dataset(tmp_path / "sums" / f"v{number}", [a_row()]) for number in (1, 2))
    assert folder_of(tmp_path, "sums") == second
    assert folder_of(tmp_path, "sums/v1") == folder_of(tmp_path, str(first)) == first
    with pytest.raises(DatasetError, match="sums/v3 is neither a folder"):
        folder_of(tmp_path, "sums/v3")


@pytest.mark.parametrize("name", ["", "../up", ".hidden", "a/b"])
def test_names_that_are_no_folders_are_refused(name: str) -> None:
    with pytest.raises(DatasetError, match="is no name of a dataset"):
        next_version(Path(), name)


def test_what_is_no_condition_and_no_range_is_said() -> None:
    assert checked("reward >= 0.5") == "reward>=0.5"
    with pytest.raises(DatasetError, match="is no condition"):
        checked("colour=red")
    with pytest.raises(DatasetError, match="a dataset is built from steps, feedback"):
        planned(Recipe(name="sums"), KafkaSettings(), None, ["weights[0]@0-1"])


def test_what_is_no_manifest_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_text("{}")
    with pytest.raises(DatasetError, match="is no manifest of a dataset: Object missing required field `recipe`"):
        read_manifest(tmp_path)
    folder = a_dataset(tmp_path / "v1", [a_row()])
    text = (folder / MANIFEST).read_text().replace('"format": 1', '"format": 2')
    (folder / MANIFEST).write_text(text)
    with pytest.raises(DatasetError, match="has the format 2; this version of clawstream knows 1"):
        read_manifest(folder)
