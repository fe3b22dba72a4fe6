"""A checkpoint's own file: what was written is read, what is broken is named."""

from pathlib import Path

import msgspec
import pytest

from clawstream.schemas import WeightVersion
from clawstream.streams.windows.window import Window
from clawstream.trainer.errors import TrainerError
from clawstream.trainer.reports import Lags, Outcome, make_report
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.versions.state import (
    SEEN_FILE,
    STATE_FILE,
    Origin,
    TrainerState,
    read_state,
    require_origin,
    write_state,
)
from tests.builders import NOON, a_sample

WEIGHTS = WeightVersion(
    model="policy", version=1, uri="file:///x", sha256="00", parent=0, update_id="u", created_at=NOON
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    window = Window(samples=(a_sample(),), validation=(), discarded=(), next_offsets={0: 3, 11: 7})
    outcome = Outcome(metrics={"policy_loss": 0.25}, seconds=2.0, lags=Lags(consumer_records=4, publish_versions=None))
    report = make_report(window, 0, outcome, TrainerSettings(model=Path("m")), NOON)
    state = TrainerState(weights=WEIGHTS, report=report, next_offsets=window.next_offsets, seen=b"\x00\xff" * 8)
    write_state(tmp_path, state)
    assert read_state(tmp_path) == state


OURS = Origin(topic_prefix="a-", tenant="acme", model="policy")


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"topic_prefix": "b-"}, "of tenant acme in a-samples; .* of tenant acme in b-samples"),
        ({"tenant": ""}, "model policy from samples of tenant acme .* model policy from samples of every tenant"),
        ({"model": "policy-2"}, "of model policy from .* train model policy-2 from"),
    ],
)
def test_another_trainers_checkpoint_is_refused_by_a_sentence_that_names_both(
    changed: dict[str, str], named: str
) -> None:
    state = TrainerState(weights=WEIGHTS, report=None, next_offsets={}, origin=OURS)
    require_origin(state, OURS, Path("runs"))
    with pytest.raises(TrainerError, match=f"runs holds checkpoints .*{named}"):
        require_origin(state, msgspec.structs.replace(OURS, **changed), Path("runs"))


def test_a_checkpoint_of_before_origins_were_noted_is_known_by_its_model() -> None:
    state = TrainerState(weights=WEIGHTS, report=None, next_offsets={})
    require_origin(state, OURS, Path("runs"))
    with pytest.raises(TrainerError, match="holds checkpoints of model policy "):
        require_origin(state, msgspec.structs.replace(OURS, model="policy-2"), Path("runs"))


@pytest.mark.parametrize("broken", [b"", b"{}", b"not json"])
def test_a_broken_file_is_named(tmp_path: Path, broken: bytes) -> None:
    (tmp_path / STATE_FILE).write_bytes(broken)
    (tmp_path / SEEN_FILE).write_bytes(b"")
    with pytest.raises(TrainerError, match="cannot be read as a checkpoint"):
        read_state(tmp_path)
