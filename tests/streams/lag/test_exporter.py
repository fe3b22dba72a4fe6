"""Lag for Prometheus."""

import subprocess
import sys
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from clawstream.streams.errors import KafkaUnreachableError
from clawstream.streams.lag.behind import Behind, NodeBehind, Onlooker, Report
from clawstream.streams.lag.exporter import LagCollector, metrics_of
from clawstream.streams.process.ports import free_port
from clawstream.streams.settings import KafkaSettings
from tests.builders import NOON


def behind(records: int) -> Behind:
    place = {"group": "g", "topic": "steps", "partition": 3}
    return Behind(**place, committed=1, end=1 + records, records=records, seconds=2.5, oldest=NOON)  # type: ignore[arg-type]


def a_node() -> NodeBehind:
    return NodeBehind(node="n", model="m", health="ready", version=3, newest=5, versions=2, silent_seconds=1.0)


def test_every_number_of_a_report_has_its_series() -> None:
    samples = {
        sample.name: (sample.labels, sample.value)
        for metric in metrics_of(Report(groups=[behind(7)], nodes=[a_node()]))
        for sample in metric.samples
    }
    place, node = {"group": "g", "topic": "steps", "partition": "3"}, {"node": "n", "model": "m"}
    assert samples == {
        "clawstream_group_lag_records": (place, 7.0),
        "clawstream_group_lag_seconds": (place, 2.5),
        "clawstream_node_lag_versions": (node, 2.0),
        "clawstream_node_silent_seconds": (node, 1.0),
    }


def test_a_cluster_that_does_not_answer_is_told() -> None:
    class Nobody(Onlooker):
        def __init__(self) -> None:
            pass

        def report(self) -> Report:
            raise KafkaUnreachableError("nobody answers")

    registry = CollectorRegistry()
    registry.register(LagCollector(Nobody()))
    assert b"clawstream_lag_known 0.0" in generate_latest(registry)


@pytest.mark.kafka
def test_the_command_serves_until_it_is_told_to_stop(kafka: KafkaSettings) -> None:
    port = free_port()
    flags = ["--bootstrap-servers", kafka.bootstrap_servers, "lag", "--metrics-port", str(port)]
    serving = subprocess.Popen([sys.executable, "-m", "clawstream.cli.main", *flags], stdout=subprocess.PIPE, text=True)
    assert serving.stdout is not None
    assert serving.stdout.readline().startswith("metrics: ")
    page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    assert {"clawstream_lag_known"} <= {metric.name for metric in text_string_to_metric_families(page)}
    serving.terminate()
    assert serving.wait(20) == 0
    serving.stdout.close()
