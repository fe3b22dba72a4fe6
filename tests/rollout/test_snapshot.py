"""Which snapshots may reach vLLM."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from clawstream.rollout.snapshot import compare, loadable_folder, tensor_shapes
from clawstream.streams.files.snapshots import SnapshotError, weights_digest

SERVED = {"a": (2, 3), "b": (4,)}


def write(folder: Path, **shapes: tuple[int, ...]) -> Path:
    folder.mkdir(exist_ok=True)
    save_file({name: np.zeros(shape, np.float32) for name, shape in shapes.items()}, folder / "model.safetensors")
    return folder


def load(folder: Path) -> Path:
    return loadable_folder(folder.as_uri(), weights_digest(folder), SERVED)


def test_the_announced_snapshot_is_loadable(tmp_path: Path) -> None:
    folder = write(tmp_path / "with a space", a=(2, 3), b=(4,))
    assert load(folder) == folder


def test_shapes_are_read_from_all_files(tmp_path: Path) -> None:
    save_file({"a": np.zeros((2, 3))}, tmp_path / "model-1.safetensors")
    save_file({"b": np.zeros(4)}, tmp_path / "model-2.safetensors", metadata={"format": "pt"})
    assert tensor_shapes(tmp_path) == SERVED


def test_a_tied_output_layer_may_be_left_out_or_in() -> None:
    compare(SERVED | {"lm_head.weight": (9, 9)}, SERVED)
    compare(SERVED, SERVED | {"lm_head.weight": (9, 9)})


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        ({"a": (2, 3)}, r"lacks b \[4\]"),
        ({"a": (2, 3), "b": (4,), "c": (1,)}, r"holds c \[1\]"),
        ({"a": (3, 2), "b": (4,)}, r"a is \[3, 2\], the model served has \[2, 3\]"),
    ],
)
def test_other_tensors_are_refused(tmp_path: Path, shapes: dict[str, tuple[int, ...]], reason: str) -> None:
    with pytest.raises(SnapshotError, match=reason):
        load(write(tmp_path / "s", **shapes))


def test_another_digest_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "s", a=(2, 3), b=(4,))
    with pytest.raises(SnapshotError, match="has the digest"):
        loadable_folder(folder.as_uri(), "0" * 64, SERVED)


@pytest.mark.parametrize("cut", [3, 20, -4])
def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, cut: int) -> None:
    folder = write(tmp_path / "s", a=(2, 3), b=(4,))
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(SnapshotError, match=str(file)):
        load(folder)


@pytest.mark.parametrize("header", [b"[]", b"{", b'{"a": 1}', b'{"a": {"shape": [1]}}'])
def test_a_broken_header_is_refused(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(SnapshotError, match="header that cannot be read"):
        tensor_shapes(tmp_path)


def test_a_folder_that_is_gone_or_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="gone is gone, or was never on this machine"):
        loadable_folder((tmp_path / "gone").as_uri(), "0" * 64, SERVED)
    with pytest.raises(SnapshotError, match="no file URI"):
        loadable_folder("https://example.org/model", "0" * 64, SERVED)
