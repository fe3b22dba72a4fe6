"""A rollback is a new version with old weights, and nothing trains twice after it."""

from pathlib import Path

import pytest

from clawstream.schemas import NodeStatus, WeightVersion
from clawstream.trainer.errors import TrainerError
from clawstream.trainer.versions.checkpoint import OPTIMIZER_FOLDER, Checkpoints
from clawstream.trainer.versions.rollback import has_optimizer, roll_back
from clawstream.trainer.versions.state import TrainerState, read_state, write_state
from clawstream.trainer.weights import lines
from tests.builders import NOON


def made(folder: Path, count: int) -> Checkpoints:
    """Versions 0 to ``count - 1``; version v has read v records and seen v."""
    checkpoints = Checkpoints(folder, keep=3)
    folder.mkdir(exist_ok=True)
    for version in range(count):
        path = checkpoints.begin(version)
        (path / "model.safetensors").write_text(f"weights {version}")
        (path / OPTIMIZER_FOLDER / "policy").mkdir(parents=True)
        (path / OPTIMIZER_FOLDER / "policy" / "state").write_text(f"moments {version}")
        weights = WeightVersion(
            model="policy",
            version=version,
            uri=checkpoints.path(version).as_uri(),
            sha256=f"{version}" * 64,
            parent=version - 1 if version else None,
            update_id=None,
            created_at=NOON,
        )
        state = TrainerState(weights=weights, report=None, next_offsets={0: version}, seen=bytes(16 * version))
        write_state(path, state)
        checkpoints.commit(version)
    checkpoints.prune()
    return checkpoints


def test_old_weights_with_the_newest_offsets(tmp_path: Path) -> None:
    checkpoints = made(tmp_path, 4)
    state = roll_back(checkpoints, 2)
    assert checkpoints.newest() == 4
    assert read_state(checkpoints.path(4)) == state
    assert (state.weights.parent, state.weights.sha256, state.weights.update_id) == (2, "2" * 64, None)
    assert (state.next_offsets, state.seen) == ({0: 3}, bytes(48))
    assert (checkpoints.path(4) / "model.safetensors").read_text() == "weights 2"
    assert (checkpoints.path(4) / OPTIMIZER_FOLDER / "policy" / "state").read_text() == "moments 2"
    assert read_state(checkpoints.path(2)).version == 2  # what it came from stays as it was


def test_a_version_whose_optimiser_is_gone_is_gone_back_to_without_it(tmp_path: Path) -> None:
    checkpoints = made(tmp_path, 4)
    assert not has_optimizer(checkpoints, 1)
    assert roll_back(checkpoints, 1).version == 4
    assert not has_optimizer(checkpoints, 4)


@pytest.mark.parametrize("to", [3, 9])
def test_only_earlier_versions_on_disk(tmp_path: Path, to: int) -> None:
    with pytest.raises(TrainerError, match=rf"version {to} is no earlier version on disk; there are: 0, 1, 2"):
        roll_back(made(tmp_path, 4), to)


def test_the_list_says_who_serves_what(tmp_path: Path) -> None:
    checkpoints = made(tmp_path, 3)
    node = NodeStatus(
        node="n1", url="u", model="policy", version=1, health="ready", logprobs_mode="m", max_model_len=1, at=NOON
    )
    shown = list(lines(checkpoints, [node], []))
    assert [(line.version, line.parent, line.nodes) for line in shown] == [(0, None, ()), (1, 0, ("n1",)), (2, 1, ())]
    assert shown[1].row == ("1", "0", "2026-01-01T12:00:00+00:00", "1" * 12, "", "", "yes", "n1")
