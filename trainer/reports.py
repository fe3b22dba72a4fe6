"""What an update is announced as. Pure."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean, stdev

import msgspec

from clawstream.schemas import TOKEN_BYTES, Discard, Sample, UpdateReport, Validation, derived_id
from clawstream.streams.windows.usable import policy_lag, trained_lag
from clawstream.streams.windows.window import Window
from clawstream.trainer.algorithms.recipe import described
from clawstream.trainer.settings import TrainerSettings


@dataclass(frozen=True, kw_only=True)
class Lags:
    """How far the others were behind when the window closed."""

    consumer_records: int  # samples waiting in the topic
    publish_versions: int | None  # of the slowest live node; None: no node is known


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an update did."""

    metrics: dict[str, float]
    seconds: float
    lags: Lags


def update_id(model: str, version: int) -> str:
    """The id of the update that made ``version``."""
    return derived_id("update", model, str(version))


def make_report(window: Window, parent: int, outcome: Outcome, settings: TrainerSettings, at: datetime) -> UpdateReport:
    """The report of the update that made version ``parent + 1`` of ``window``."""
    version = parent + 1
    lags = [trained_lag(sample, parent, settings.max_policy_lag) for sample in window.samples]
    sequences = [sequence for sample in window.samples for sequence in sample.sequences]
    token_count = sum(len(sequence.tokens) for sequence in sequences) // TOKEN_BYTES
    return UpdateReport(
        update_id=update_id(settings.model_name, version),
        model=settings.model_name,
        version=version,
        parent=parent,
        algorithm=settings.algorithm,
        at=at,
        sample_ids=[sample.sample_id for sample in window.samples],
        discarded=list(window.discarded),
        response_token_count=sum(span.end - span.start for sequence in sequences for span in sequence.responses),
        reward_mean=fmean(sample.reward for sample in window.samples) if window.samples else 0.0,
        policy_lag_mean=fmean(lags) if lags else 0.0,
        policy_lag_max=max(lags, default=0),
        consumer_lag_records=outcome.lags.consumer_records,
        seconds=outcome.seconds,
        metrics=outcome.metrics | {"tokens_per_second": token_count / max(outcome.seconds, 1e-9)},
        objective=described(settings),
        publish_lag_versions=outcome.lags.publish_versions,
        validations=validations(window.validation, parent),
    )


def validations(samples: Sequence[Sample], version: int) -> list[Validation]:
    """Rewards of ``samples`` by the version that sampled them, oldest first, while the trainer is at ``version``."""
    by_version: dict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_version[version - policy_lag(sample, version)].append(sample)
    return [_validation(sampled_by, by_version[sampled_by]) for sampled_by in sorted(by_version)]


def _validation(version: int, samples: Sequence[Sample]) -> Validation:
    rewards = [sample.reward for sample in samples]
    return Validation(
        version=version,
        sample_ids=[sample.sample_id for sample in samples],
        reward_mean=fmean(rewards),
        reward_std=stdev(rewards) if len(rewards) > 1 else 0.0,
    )


def describe_failure(report: UpdateReport, why: str) -> bytes:
    """The report of an update that was thrown away, as JSON."""
    return msgspec.json.format(msgspec.json.encode({"thrown_away_because": why, "update": report}), indent=1)


def describe(report: UpdateReport) -> str:
    """One line for the log."""
    metrics = report.metrics
    return (
        f"version {report.version}: {len(report.sample_ids)} samples trained, {len(report.discarded)} discarded, "
        f"reward {report.reward_mean:.3f}, lag {report.policy_lag_mean:.1f} (max {report.policy_lag_max}), "
        f"loss {metrics.get('policy_loss', 0.0):.4f}, clipped {metrics.get('clip_fraction', 0.0):.3f}, "
        f"k3 {metrics.get('kl_prox_behaviour', 0.0):.5f}, gradient {metrics.get('grad_norm', 0.0):.3f}, "
        f"{report.seconds:.2f} s, {metrics['tokens_per_second']:.0f} tokens/s, {report.consumer_lag_records} waiting"
    )


class DiscardNotices:
    """Tells of samples that an open window cannot train: without one that can, no update would say so."""

    def __init__(self, seconds: float = 30.0) -> None:
        """``seconds``: the least time between two notices."""
        self._seconds, self._told, self._at_seconds = seconds, 0, float("-inf")

    def due(self, discarded: Sequence[Discard], at_seconds: float) -> str | None:
        """What to tell now of all that the open window has ``discarded``; None when that is nothing new."""
        self._told = min(self._told, len(discarded))  # another window has begun
        if len(discarded) == self._told or at_seconds - self._at_seconds < self._seconds:
            return None
        self._told, self._at_seconds = len(discarded), at_seconds
        counts = Counter(discard.reason.partition(":")[0] for discard in discarded)
        listed = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
        last = discarded[-1]
        return f"the open window has discarded {listed}; the last is sample {last.sample_id}: {last.reason}"
