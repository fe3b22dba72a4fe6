"""Versions that were announced are never announced again with other weights."""

import pytest

from clawstream.trainer.errors import TrainerError
from clawstream.trainer.versions.publish import require_lineage


@pytest.mark.parametrize(("announced", "newest"), [(None, None), (0, None), (None, 5), (4, 5), (5, 5)])
def test_going_on_is_fine(announced: int | None, newest: int | None) -> None:
    require_lineage(announced, newest, "policy", "checkpoints")


@pytest.mark.parametrize(("announced", "newest", "found"), [(1, None, "no checkpoint"), (6, 5, "version 5")])
def test_announced_versions_without_their_checkpoint_stop_the_trainer(
    announced: int, newest: int | None, found: str
) -> None:
    with pytest.raises(
        TrainerError, match=f"version {announced} of policy was announced, but checkpoints holds {found}"
    ):
        require_lineage(announced, newest, "policy", "checkpoints")
