"""A full disk, whatever a library says then: torch's writer, for one, speaks of positions that it did not expect."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from clawstream.trainer.errors import InTheWayError

_FULL_BYTES = 1 << 20  # less is left where a file did not fit
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Write a version meanwhile. Raises ``InTheWayError`` where the disk of ``folder`` is full."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        if getattr(error, "errno", None) not in _NO_ROOM and shutil.disk_usage(folder).free > _FULL_BYTES:
            raise
        raise InTheWayError(
            f"the disk of {folder} is full, so no version was made; samples train once there is room and the trainer "
            f"is started again ({error})"
        ) from error
