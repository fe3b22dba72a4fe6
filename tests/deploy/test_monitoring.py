"""The dashboard and the alert rules ask for metrics and labels that there are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

import clawstream.gateway.metrics
import clawstream.processors.metrics
import clawstream.rollout.metrics
import clawstream.streams.process.metrics
import clawstream.trainer.metrics
from clawstream.streams.lag.behind import Behind, NodeBehind, Report
from clawstream.streams.lag.exporter import metrics_of
from tests.builders import NOON

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/clawstream.json").read_text())
MODULES = (
    clawstream.gateway.metrics,
    clawstream.processors.metrics,
    clawstream.rollout.metrics,
    clawstream.streams.process.metrics,
    clawstream.trainer.metrics,
)
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
PROMETHEUS_OWN = {"job", "instance", "le"}


def known() -> dict[str, set[str]]:
    """Every series that a process exposes, and its labels."""
    found = {"clawstream_lag_known": set[str]()}
    for module in MODULES:
        for metric in vars(module).values():
            if isinstance(metric, MetricWrapperBase):
                (described,) = metric.describe()
                for suffix in SUFFIXES[described.type]:
                    found[described.name + suffix] = set(metric._labelnames)
    place: dict[str, Any] = {"group": "g", "topic": "t", "partition": 0, "committed": 0, "end": 0}
    behind = Behind(**place, records=0, seconds=0.0, oldest=NOON)
    node = NodeBehind(node="n", model="m", health="ready", version=0, newest=0, versions=0, silent_seconds=0.0)
    for family in metrics_of(Report(groups=[behind], nodes=[node])):
        found[family.name] = set(family.samples[0].labels)
    return found


def asked() -> Iterator[tuple[str, str, str]]:
    """Title, expression and what is printed with it."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"], target["legendFormat"]
    for rule in RULES:
        yield rule["alert"], rule["expr"], rule["annotations"]["summary"]


@pytest.mark.parametrize(("title", "expression", "shown"), list(asked()))
def test_what_is_asked_for_exists(title: str, expression: str, shown: str) -> None:
    metrics, names = known(), re.findall(r"clawstream_\w+", expression)
    assert names or title == "ProcessDown"
    assert set(names) <= metrics.keys(), title
    labels = set[str]().union(*(metrics[name] for name in names)) | PROMETHEUS_OWN
    grouped = re.findall(r"by \(([^)]*)\)", expression)
    assert {label.strip() for each in grouped for label in each.split(",")} <= labels
    printed = re.findall(r"{{\s*(?:\$labels\.)?(\w+)\s*}}", shown)
    left = {label.strip() for each in grouped for label in each.split(",")} if grouped else labels
    assert set(printed) <= left, f"{title} prints what its expression does not keep"


def test_every_alert_says_what_to_do() -> None:
    assert {rule["labels"]["severity"] for rule in RULES} == {"page", "ticket"}
    assert all(set(rule["annotations"]) == {"summary", "action"} for rule in RULES)
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_panels_have_places_of_their_own() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
