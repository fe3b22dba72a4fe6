"""Prometheus metrics of the trainer."""

from prometheus_client import Counter, Gauge

from clawstream.schemas import UpdateReport

VERSION = Gauge("clawstream_trainer_version", "Newest policy version announced")
POLICY_LAG_MEAN = Gauge("clawstream_trainer_policy_lag_mean", "Mean versions behind, of the last window")
POLICY_LAG_MAX = Gauge("clawstream_trainer_policy_lag_max", "Most versions behind, of the last window")
CONSUMER_LAG = Gauge("clawstream_trainer_consumer_lag", "Samples waiting in the topic")
PUBLISH_LAG = Gauge("clawstream_trainer_publish_lag", "Versions that the slowest live node is behind")
FENCED_NODES = Gauge("clawstream_trainer_fenced_nodes", "Nodes too slow or too silent to be waited for")
WAIT_SECONDS = Counter("clawstream_trainer_wait_seconds", "Time that full windows waited for nodes to follow")
VALIDATION_REWARD = Gauge("clawstream_trainer_validation_reward", "Mean reward of the newest version validated")
SAMPLES_TRAINED = Counter("clawstream_trainer_samples_trained", "Samples trained")
SAMPLES_DISCARDED = Counter("clawstream_trainer_samples_discarded", "Samples consumed without training", ["reason"])
UPDATE_SECONDS = Gauge("clawstream_trainer_update_seconds", "Duration of the last update")
PUBLISH_SECONDS = Gauge("clawstream_trainer_publish_seconds", "Duration of the last checkpoint and announcement")
TRANSFERS = Counter("clawstream_trainer_transfers", "Nodes that asked for the newest weights", ["outcome"])
REWARD_MEAN = Gauge("clawstream_trainer_reward_mean", "Mean reward of the last window")
UPDATE_METRIC = Gauge("clawstream_trainer_update_metric", "Losses and diagnostics of the last update", ["metric"])


def note_update(report: UpdateReport, publish_seconds: float) -> None:
    """Show ``report``, which has been announced."""
    VERSION.set(report.version)
    POLICY_LAG_MEAN.set(report.policy_lag_mean)
    POLICY_LAG_MAX.set(report.policy_lag_max)
    SAMPLES_TRAINED.inc(len(report.sample_ids))
    for discard in report.discarded:
        SAMPLES_DISCARDED.labels(discard.reason.partition(":")[0]).inc()
    if report.validations:
        VALIDATION_REWARD.set(report.validations[-1].reward_mean)
    UPDATE_SECONDS.set(report.seconds)
    PUBLISH_SECONDS.set(publish_seconds)
    REWARD_MEAN.set(report.reward_mean)
    for name, value in report.metrics.items():
        UPDATE_METRIC.labels(name).set(value)
