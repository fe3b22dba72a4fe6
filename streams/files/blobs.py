"""The blob store beside the log: what steps refer to, by content, in a folder or an object store.

Invariant: what is there is whole and is what its name says; it is written once and never changed. Each tenant has a
folder of its own, so a reference reaches nobody else's content. Who reads steps gets whole messages with::

    BlobStore(kafka.blob_url).resolve(step.tenant, step.new_messages_json)
"""

import contextlib
import hashlib
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import fsspec
import msgspec

from clawstream.schemas.blobs import Reference, read_reference, restored
from clawstream.streams.errors import StreamError
from clawstream.streams.settings import SettingsError


class BlobError(StreamError):
    """Content that cannot be written or read, or is not what its reference says."""


class BlobStore:
    """Content by tenant and hash, under a URL that fsspec knows. Methods block; threads may share one."""

    def __init__(self, url: str) -> None:
        """Raises ``SettingsError`` for a URL whose store is not installed."""
        try:
            self._files, root = fsspec.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise SettingsError(f"[kafka] blob_url {url}: {error}") from error
        self._root = root.rstrip("/")
        self._is_local = "file" in _protocols(self._files)

    def put(self, tenant: str, reference: str, content: bytes) -> None:
        """Return once ``content`` is there. Raises ``BlobError``."""
        found = read_reference(reference)
        if found is None:
            raise ValueError(f"{reference[:100]} is no reference")
        with _worded(f"blob {found.sha256} of tenant {tenant} cannot be written"):
            self._write(self._path(tenant, found), content)

    def get(self, tenant: str, reference: Reference) -> bytes:
        """The content. Raises ``BlobError``."""
        with _worded(f"blob {reference.sha256} of tenant {tenant} cannot be read"):
            content = bytes(self._files.cat_file(self._path(tenant, reference)))
        if hashlib.sha256(content).hexdigest() != reference.sha256:
            raise BlobError(f"blob {reference.sha256} of tenant {tenant} has other content")
        return content

    def resolve(self, tenant: str, messages_json: str) -> str:
        """A JSON array of messages as they were sent. Raises ``BlobError``."""
        messages = restored(msgspec.json.decode(messages_json), lambda reference: self.get(tenant, reference))
        return msgspec.json.encode(messages).decode()

    def _write(self, path: str, content: bytes) -> None:
        if self._has(path, len(content)):
            return
        if not self._is_local:
            self._files.pipe_file(path, content)
            return
        part = f"{path}.{uuid.uuid4().hex}.part"  # so that a kill leaves no half of it under its name
        self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
        self._files.pipe_file(part, content)
        self._files.mv(part, path)

    def _path(self, tenant: str, reference: Reference) -> str:
        return f"{self._root}/tenant={quote(tenant, safe='')}/{reference.sha256[:2]}/{reference.sha256}"

    def _has(self, path: str, size_bytes: int) -> bool:
        try:
            return bool(self._files.info(path)["size"] == size_bytes)
        except FileNotFoundError:
            return False


@contextlib.contextmanager
def _worded(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # each file system has errors of its own, and those of object stores are no OSError
        raise BlobError(f"{what}: {str(error) or type(error).__name__}") from error


def _protocols(files: Any) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)
