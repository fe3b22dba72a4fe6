"""Copies of adapters: by links or whole, and nothing of one that did not fit."""

import errno
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clawstream.rollout.kept import KeptFolders


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process can grow beyond ``size`` bytes, as if the disk were full then."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "version-000001"
    (folder / "optimizer").mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.safetensors").write_bytes(b"x" * 4096)
    return folder


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    folder = tmp_path / "kept"
    folder.mkdir()
    return folder


def no_links(*_: object) -> None:
    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))


def test_a_copy_has_the_files_alone_and_takes_no_room(source: Path, kept: Path) -> None:
    copy = KeptFolders(kept).copy(source)
    assert sorted(path.name for path in copy.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert (copy / "adapter_model.safetensors").samefile(source / "adapter_model.safetensors")


def test_on_another_file_system_it_is_whole(source: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", no_links)
    copy = KeptFolders(kept).copy(source)
    assert (copy / "adapter_model.safetensors").read_bytes() == b"x" * 4096
    assert not (copy / "adapter_model.safetensors").samefile(source / "adapter_model.safetensors")


def test_of_a_copy_that_does_not_fit_nothing_is_left(source: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", no_links)
    with largest_file(1024), pytest.raises(OSError, match="too large"):
        KeptFolders(kept).copy(source)
    assert list(kept.iterdir()) == []
