"""How far everybody is behind, as Prometheus metrics: asked of the cluster anew at each scrape.

Invariant: also while Kafka does not answer there is a page, and it says so: ``clawstream_lag_known`` is 0.
"""

import logging
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from clawstream.streams.errors import KafkaUnreachableError
from clawstream.streams.lag.behind import Onlooker, Report

_log = logging.getLogger(__name__)


class LagCollector(Collector):
    """Register it with a registry, then serve that."""

    def __init__(self, onlooker: Onlooker) -> None:
        self._onlooker = onlooker

    def collect(self) -> Iterator[Metric]:
        """Every metric, as the cluster has it now."""
        try:
            report = self._onlooker.report()
        except KafkaUnreachableError as error:
            _log.warning("lag is not known: %s", error)
            report = None
        yield known(report)
        if report is not None:
            yield from metrics_of(report)

    def describe(self) -> Iterator[Metric]:
        """Names alone, so that registering it asks nobody."""
        yield from metrics_of(Report(groups=[], nodes=[]))


def known(report: Report | None) -> Metric:
    """Is there a report? Pure."""
    return GaugeMetricFamily("clawstream_lag_known", "0 while Kafka does not answer", value=float(report is not None))


def metrics_of(report: Report) -> Iterator[Metric]:
    """``report`` as metrics. Pure."""
    records = GaugeMetricFamily(
        "clawstream_group_lag_records", "Records that wait", labels=("group", "topic", "partition")
    )
    seconds = GaugeMetricFamily(
        "clawstream_group_lag_seconds", "Age of the oldest that waits", labels=("group", "topic", "partition")
    )
    for each in report.groups:
        labels = (each.group, each.topic, str(each.partition))
        records.add_metric(labels, each.records)
        seconds.add_metric(labels, each.seconds)
    versions = GaugeMetricFamily("clawstream_node_lag_versions", "Policy versions behind", labels=("node", "model"))
    silent = GaugeMetricFamily("clawstream_node_silent_seconds", "Since it said something", labels=("node", "model"))
    for node in report.nodes:
        versions.add_metric((node.node, node.model), node.versions)
        silent.add_metric((node.node, node.model), node.silent_seconds)
    yield from (records, seconds, versions, silent)
