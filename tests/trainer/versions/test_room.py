"""A full disk is said in a sentence."""

import errno
from pathlib import Path

import pytest

from clawstream.trainer.errors import InTheWayError
from clawstream.trainer.versions.room import writing_into


def test_a_full_disk_is_said_in_a_sentence_and_another_failure_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(InTheWayError, match=r"the disk of .* is full, so no version was made"), writing_into(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(RuntimeError, match="shapes differ"), writing_into(tmp_path):
        raise RuntimeError("shapes differ")
