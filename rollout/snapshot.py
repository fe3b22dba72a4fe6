"""Is a snapshot complete, and of the shape of the model that is served? Read from the files' headers alone.

Invariant: what passes here can be loaded. vLLM ends when a tensor has another shape, and goes on with a mixture of two
versions when one is missing, so such a snapshot must not reach it.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path

from clawstream.streams.files.snapshots import SnapshotError, verified_folder

Shapes = Mapping[str, tuple[int, ...]]  # tensor name -> shape

_LENGTH = struct.Struct("<Q")
_MAX_HEADER_BYTES = 100_000_000  # as the safetensors library has it
_TIED = "lm_head.weight"  # a copy of the embedding that may be left out when the two are tied


def loadable_folder(uri: str, sha256: str, served: Shapes) -> Path:
    """The folder of ``uri``: its digest is ``sha256`` and it holds the tensors that are ``served``.

    Raises ``SnapshotError`` when that is not so or when it cannot be read.
    """
    try:
        folder = verified_folder(uri, sha256)
        compare(served, tensor_shapes(folder))
    except OSError as error:
        raise SnapshotError(f"{uri} cannot be read: {error}") from error
    return folder


def compare(served: Shapes, found: Shapes) -> None:
    """Raise ``SnapshotError`` unless both name the same tensors with the same shapes, a tied output layer aside."""
    for name in sorted((served.keys() | found.keys()) - {_TIED}):
        if name not in found:
            raise SnapshotError(f"the snapshot lacks {name} {list(served[name])}")
        if name not in served:
            raise SnapshotError(f"the snapshot holds {name} {list(found[name])}, which the model served lacks")
    for name in served.keys() & found.keys():
        if served[name] != found[name]:
            raise SnapshotError(f"{name} is {list(found[name])}, the model served has {list(served[name])}")


def tensor_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors in ``folder``. Raises ``SnapshotError`` for a safetensors file that is not whole."""
    shapes: dict[str, tuple[int, ...]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        shapes |= _read(file)
    return shapes


def _read(file: Path) -> dict[str, tuple[int, ...]]:
    with file.open("rb") as stream:
        prefix = stream.read(_LENGTH.size)
        length = _LENGTH.unpack(prefix)[0] if len(prefix) == _LENGTH.size else _MAX_HEADER_BYTES + 1
        if length > _MAX_HEADER_BYTES:
            raise SnapshotError(f"{file} is no safetensors file")
        header = stream.read(length)
    try:
        entries = json.loads(header)
        entries.pop("__metadata__", None)
        shapes = {name: tuple(entry["shape"]) for name, entry in entries.items()}
        end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise SnapshotError(f"{file} has a header that cannot be read: {error!r}") from error
    expected, found = _LENGTH.size + length + end, file.stat().st_size
    if found != expected:
        raise SnapshotError(f"{file} has {found} bytes; its header says {expected}")
    return shapes
