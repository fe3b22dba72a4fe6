"""What an update is announced as. Pure."""

from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from clawstream.schemas import TOKEN_BYTES, UpdateReport, derived_id
from clawstream.trainer.batches.usable import policy_lag
from clawstream.trainer.batches.window import Window
from clawstream.trainer.settings import TrainerSettings


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an update did."""

    metrics: dict[str, float]
    seconds: float
    consumer_lag_records: int  # when the window closed


def update_id(model: str, version: int) -> str:
    """The id of the update that made ``version``."""
    return derived_id("update", model, str(version))


def make_report(window: Window, parent: int, outcome: Outcome, settings: TrainerSettings, at: datetime) -> UpdateReport:
    """The report of the update that made version ``parent + 1`` of ``window``."""
    version = parent + 1
    lags = [policy_lag(sample, parent) for sample in window.samples]
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
        consumer_lag_records=outcome.consumer_lag_records,
        seconds=outcome.seconds,
        metrics=outcome.metrics | {"tokens_per_second": token_count / max(outcome.seconds, 1e-9)},
    )


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
