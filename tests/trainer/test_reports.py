"""Reports say what was trained, how stale it was, and nothing of other updates."""

from pathlib import Path

import pytest

from clawstream.schemas import Discard, decode, encode
from clawstream.schemas.control import UpdateReport
from clawstream.streams.windows.window import Window
from clawstream.trainer.reports import DiscardNotices, Lags, Outcome, describe, make_report
from clawstream.trainer.settings import TrainerSettings
from tests.builders import NOON, a_sample, a_sequence

SETTINGS = TrainerSettings(model=Path("m"))
OUTCOME = Outcome(metrics={"policy_loss": -0.5}, seconds=2.0, lags=Lags(consumer_records=9, publish_versions=2))


def test_report_of_a_window() -> None:
    samples = (
        a_sample(1.0, sample_id="a", sequences=[a_sequence([1, 2], [3], version=7)]),
        a_sample(0.0, sample_id="b", sequences=[a_sequence([1], [2, 3], version=4), a_sequence([1], [2], version=7)]),
    )
    discarded = (Discard(sample_id="c", reason="channel: mine does not train"),)
    report = make_report(
        Window(samples=samples, validation=(), discarded=discarded, next_offsets={}), 7, OUTCOME, SETTINGS, NOON
    )
    assert (report.version, report.parent, report.sample_ids) == (8, 7, ["a", "b"])
    assert report.discarded == list(discarded)
    assert (report.policy_lag_mean, report.policy_lag_max) == (1.5, 3)
    assert report.publish_lag_versions == 2
    assert report.objective.startswith("grpo: advantage group-normalised, surrogate clip")
    assert (report.reward_mean, report.response_token_count, report.consumer_lag_records) == (0.5, 4, 9)
    assert report.metrics == {"policy_loss": -0.5, "tokens_per_second": pytest.approx(4.0)}
    assert decode(encode(report), UpdateReport) == report
    assert "version 8: 2 samples trained, 1 discarded" in describe(report)


def test_validation_is_told_by_the_version_that_sampled_it() -> None:
    samples = tuple(
        a_sample(reward, sample_id=name, channel="val", sequences=[a_sequence([1], [2], version=version)])
        for name, reward, version in (("a", 1.0, 4), ("b", 0.5, 3), ("c", 0.0, 4))
    )
    window = Window(samples=(), validation=samples, discarded=(), next_offsets={})
    found = make_report(window, 5, OUTCOME, SETTINGS, NOON).validations
    assert [(each.version, each.sample_ids, each.reward_mean) for each in found] == [
        (3, ["b"], 0.5),
        (4, ["a", "c"], 0.5),
    ]
    assert [each.reward_std for each in found] == [0.0, pytest.approx(0.5**0.5)]


def test_ids_follow_from_model_and_version() -> None:
    window = Window(samples=(a_sample(),), validation=(), discarded=(), next_offsets={})
    first, again, next_one = (make_report(window, parent, OUTCOME, SETTINGS, NOON) for parent in (1, 1, 2))
    assert first.update_id == again.update_id != next_one.update_id


def test_an_update_without_samples_can_be_reported() -> None:
    empty = Window(samples=(), validation=(), discarded=(), next_offsets={})
    lags = Lags(consumer_records=0, publish_versions=None)
    report = make_report(empty, 0, Outcome(metrics={}, seconds=0.0, lags=lags), SETTINGS, NOON)
    assert (report.reward_mean, report.policy_lag_max) == (0.0, 0)
    assert "version 1: 0 samples" in describe(report)


def test_what_an_open_window_discards_is_told_now_and_then() -> None:
    stale = [Discard(sample_id=name, reason="stale: 9 versions behind") for name in ("a", "b")]
    notices = DiscardNotices(seconds=30.0)
    assert notices.due([], 0.0) is None
    told = notices.due(stale[:1], 1.0)
    assert told == "the open window has discarded 1 stale; the last is sample a: stale: 9 versions behind"
    assert notices.due(stale, 2.0) is None, "too soon"
    assert (notices.due(stale, 40.0) or "").startswith("the open window has discarded 2 stale")
    assert notices.due(stale, 80.0) is None, "nothing new"
    assert notices.due(stale[:1], 120.0) is None
    assert notices.due(stale, 121.0) is not None, "another window"
