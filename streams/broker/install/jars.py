"""Kafka's jars in a folder of this user's cache, fetched once.

Invariant: a folder of this name is complete, and each jar in it had the size and SHA-256 of ``jars.lock`` when it came.
Two processes never fetch at the same time, and one that is killed leaves nothing that another would use::

    kafka-4.3.1.lock  held      kafka-4.3.1.partial/  filled, verified      renamed to kafka-4.3.1/
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from clawstream.streams.broker.config import KAFKA_VERSION
from clawstream.streams.broker.errors import BrokerError
from clawstream.streams.broker.install.fetch import fetch_jars
from clawstream.streams.broker.install.locked import Jar, locked_jars
from clawstream.streams.broker.lock import FileLock


def default_cache(environ: Mapping[str, str] = os.environ) -> Path:
    """ClawStream's folder in the user's cache: below ``XDG_CACHE_HOME``, else ``~/.cache``."""
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clawstream"


def resolve_jars(cache: Path | None = None) -> Path:
    """The folder of Kafka's jars, fetched into ``cache`` when it is not there yet. Needs no network when it is.

    Raises ``BrokerError`` when they cannot be fetched or the cache cannot be written.
    """
    jars = locked_jars()
    folder = (cache or default_cache()).absolute() / f"kafka-{KAFKA_VERSION}"
    if _complete(folder, jars):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            if not _complete(folder, jars):
                _fill(folder, jars)
    except OSError as error:
        raise BrokerError(f"the cache {folder.parent} of Kafka's jars cannot be written: {error}") from error
    return folder


def _fill(folder: Path, jars: Sequence[Jar]) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        fetch_jars(jars, partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _complete(folder: Path, jars: Sequence[Jar]) -> bool:
    try:
        return all((folder / jar.name).stat().st_size == jar.size_bytes for jar in jars)
    except OSError:
        return False
