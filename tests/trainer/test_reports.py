"""Reports say what was trained, how stale it was, and nothing of other updates."""

from pathlib import Path

import pytest

from clawstream.schemas import Discard, decode, encode
from clawstream.schemas.control import UpdateReport
from clawstream.trainer.batches.window import Window
from clawstream.trainer.reports import Outcome, describe, make_report
from clawstream.trainer.settings import TrainerSettings
from tests.builders import NOON, a_sample, a_sequence

SETTINGS = TrainerSettings(model=Path("m"))
OUTCOME = Outcome(metrics={"policy_loss": -0.5}, seconds=2.0, consumer_lag_records=9)


def test_report_of_a_window() -> None:
    samples = (
        a_sample(1.0, sample_id="a", sequences=[a_sequence([1, 2], [3], version=7)]),
        a_sample(0.0, sample_id="b", sequences=[a_sequence([1], [2, 3], version=4), a_sequence([1], [2], version=7)]),
    )
    discarded = (Discard(sample_id="c", reason="channel: val does not train"),)
    report = make_report(Window(samples=samples, discarded=discarded, next_offsets={}), 7, OUTCOME, SETTINGS, NOON)
    assert (report.version, report.parent, report.sample_ids) == (8, 7, ["a", "b"])
    assert report.discarded == list(discarded)
    assert (report.policy_lag_mean, report.policy_lag_max) == (1.5, 3)
    assert (report.reward_mean, report.response_token_count, report.consumer_lag_records) == (0.5, 4, 9)
    assert report.metrics == {"policy_loss": -0.5, "tokens_per_second": pytest.approx(4.0)}
    assert decode(encode(report), UpdateReport) == report
    assert "version 8: 2 samples trained, 1 discarded" in describe(report)


def test_ids_follow_from_model_and_version() -> None:
    window = Window(samples=(a_sample(),), discarded=(), next_offsets={})
    first, again, next_one = (make_report(window, parent, OUTCOME, SETTINGS, NOON) for parent in (1, 1, 2))
    assert first.update_id == again.update_id != next_one.update_id


def test_an_update_without_samples_can_be_reported() -> None:
    empty = Window(samples=(), discarded=(), next_offsets={})
    report = make_report(empty, 0, Outcome(metrics={}, seconds=0.0, consumer_lag_records=0), SETTINGS, NOON)
    assert (report.reward_mean, report.policy_lag_max) == (0.0, 0)
    assert "version 1: 0 samples" in describe(report)
