"""Data folders that are no broker's, or broken."""

from pathlib import Path

import pytest

from clawstream.streams.broker import BrokerError
from clawstream.streams.broker.storage import DataFolder, cluster_id, new_cluster_id

META = "#\nnode.id=1\ndirectory.id=Dsp5-ldCRD-NXPVoKI_HVw\nversion=1\ncluster.id=APK_CIqwSv-w7EdtlXzw1Q\n"


def kafka_folder(path: Path, meta: str | bytes) -> Path:
    kafka = path / "kafka"
    kafka.mkdir()
    (kafka / "meta.properties").write_bytes(meta.encode() if isinstance(meta, str) else meta)
    return kafka


def test_the_cluster_is_read(tmp_path: Path) -> None:
    assert cluster_id(kafka_folder(tmp_path, META), 1) == "APK_CIqwSv-w7EdtlXzw1Q"


@pytest.mark.parametrize(
    "meta", ["", "version=1\nnode.id=1\n", "version=0\ncluster.id=x\ndirectory.id=y\n", b"\xff\xfe"]
)
def test_an_unreadable_folder_is_broken(meta: str | bytes, tmp_path: Path) -> None:
    kafka = kafka_folder(tmp_path, meta)
    with pytest.raises(
        BrokerError, match=f"data folder {tmp_path} is broken: .*meta.properties is not what Kafka wrote"
    ):
        cluster_id(kafka, 1)


def test_a_folder_without_its_identity_is_broken(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"meta\.properties cannot be read \(No such file or directory"):
        cluster_id(tmp_path, 1)


def test_another_nodes_folder_is_refused(tmp_path: Path) -> None:
    kafka = kafka_folder(tmp_path, META.replace("node.id=1", "node.id=7"))
    with pytest.raises(BrokerError, match="belongs to node 7 of cluster APK_CIqwSv-w7EdtlXzw1Q"):
        cluster_id(kafka, 1)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(BrokerError, match=f"data folder {file} is a file"):
        DataFolder(path=file).create()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "data"
    with pytest.raises(BrokerError, match=f"data folder {folder} cannot be written: Not a directory"):
        DataFolder(path=folder).create()


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(BrokerError, match=r"other files \(thesis.tex\); choose an empty one"):
        DataFolder(path=tmp_path).create()
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_cluster_ids_can_be_arguments() -> None:
    ids = {new_cluster_id() for _ in range(2_000)}
    assert len(ids) == 2_000
    assert all(len(text) == 22 and not text.startswith("-") for text in ids)
