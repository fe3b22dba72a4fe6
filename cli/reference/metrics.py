"""The page of every metric that a process exposes: its labels, and what it counts."""

from collections.abc import Iterator
from types import ModuleType

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

import clawstream.gateway.metrics
import clawstream.processors.metrics
import clawstream.rollout.metrics
import clawstream.streams.process.metrics
import clawstream.trainer.metrics
from clawstream.cli.reference.markdown import code, page, table
from clawstream.streams.lag.behind import Report
from clawstream.streams.lag.exporter import known, metrics_of

_HEAD = """# Metrics

<!-- python -m clawstream.cli.reference -->

Every process serves its own for Prometheus: the gateway at `/metrics` of its port, the others at `metrics_port`, and
`clawstream lag --metrics-port 9104` those of consumer groups and nodes. A histogram is three series: `_bucket`, `_sum`
and `_count`. `deploy/` has a dashboard and alert rules over them; what to do about an alert is in the
[runbook](../runbook.md)."""
_MODULES: dict[str, ModuleType] = {
    "Every process": clawstream.streams.process.metrics,
    "Gateway": clawstream.gateway.metrics,
    "Processors": clawstream.processors.metrics,
    "Trainer": clawstream.trainer.metrics,
    "Rollout": clawstream.rollout.metrics,
}


def metrics() -> str:
    """The whole page."""
    parts = [_HEAD]
    for title, module in _MODULES.items():
        parts += [f"## {title}", _table(_of(module))]
    parts += ["## Lag", _table((family, _labels(family)) for family in _lag())]
    return page(*parts)


def _of(module: ModuleType) -> Iterator[tuple[Metric, tuple[str, ...]]]:
    """The metrics that a module defines, with their labels."""
    for metric in vars(module).values():
        if isinstance(metric, MetricWrapperBase):
            (described,) = metric.describe()
            yield described, tuple(metric._labelnames)


def _lag() -> Iterator[Metric]:
    nothing = Report(groups=[], nodes=[])
    yield known(nothing)
    yield from metrics_of(nothing)


def _labels(family: Metric) -> tuple[str, ...]:
    return tuple(getattr(family, "_labelnames", ()))


def _table(found: Iterator[tuple[Metric, tuple[str, ...]]]) -> str:
    rows = [
        (code(metric.name + "_total" * (metric.type == "counter")), metric.type, _named(labels), metric.documentation)
        for metric, labels in found
    ]
    return table(("metric", "is a", "labels", "means"), rows)


def _named(labels: tuple[str, ...]) -> str:
    return ", ".join(map(code, labels))
