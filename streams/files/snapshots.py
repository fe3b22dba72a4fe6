"""Snapshots of weights on disk: the folder behind a ``WeightVersion`` and its checksum.

Invariant: trainer and nodes compute the same digest, so a node loads exactly what was announced, or nothing.
"""

import hashlib
from pathlib import Path
from urllib.parse import unquote, urlparse

from clawstream.streams.errors import StreamError

_CHUNK_BYTES = 1 << 20


class SnapshotError(StreamError):
    """A snapshot that must not be loaded."""


def weights_digest(folder: Path) -> str:
    """Hex SHA-256 over the contents of all ``*.safetensors`` files of ``folder``, in the order of their names.

    Raises ``SnapshotError`` when there is none.
    """
    if not folder.is_dir():
        raise SnapshotError(
            f"{folder} is gone, or was never on this machine; of each trainer's versions, those that live nodes serve "
            "and the newest trainer.keep_snapshots are kept"
        )
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise SnapshotError(f"{folder} holds no safetensors file")
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()


def folder_of(uri: str) -> Path:
    """The local folder that a file URI names. Raises ``SnapshotError`` for any other kind."""
    parsed = urlparse(uri)
    if parsed.scheme != "file" or parsed.netloc not in ("", "localhost"):
        raise SnapshotError(f"{uri} is no file URI of this machine")
    return Path(unquote(parsed.path))


def verified_folder(uri: str, sha256: str) -> Path:
    """The folder of ``uri``, checked. Raises ``SnapshotError`` when it is missing or its digest is not ``sha256``."""
    folder = folder_of(uri)
    found = weights_digest(folder)
    if found != sha256:
        raise SnapshotError(f"{folder} has the digest {found[:12]}…, announced was {sha256[:12]}…")
    return folder
