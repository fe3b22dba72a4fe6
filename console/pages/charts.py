"""Charts as ECharts' options. Pure.

Invariant: the names of options are ours alone; what a record says is only ever a value.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from clawstream.console.index.filling import GROUP
from clawstream.console.stories.arrows import Arrow
from clawstream.schemas import UpdateReport

_INK = "#71717a"  # readable on light and on dark
_PLACES = {
    "agents": (0, 80),
    "gateway": (260, 80),
    "processors": (560, 80),
    "trainer": (860, 80),
    "rollout": (560, 200),
    "rejected": (860, 0),
    "updates": (1120, 80),
}
_BENDS = {"steps": -0.18, "feedback": 0.18}
_INNER = ("next-states", "rewards", "trajectories")  # processors read what they write
Points = list[list[float]]


def pipeline(arrows: Iterable[Arrow]) -> dict[str, Any]:
    """The pipeline as README draws it."""
    links = [
        {
            "source": arrow.writer,
            "target": arrow.reader,
            "lineStyle": {"curveness": _BENDS.get(arrow.topic, 0.0), "width": 1.5 + min(4.0, arrow.rate / 50)},
            "label": {"show": True, "formatter": label(arrow), "color": _INK, "fontSize": 12},
        }
        for arrow in arrows
        if arrow.topic not in _INNER
    ]
    links.append({"source": "agents", "target": "gateway", "label": {"show": True, "formatter": "HTTP", "color": _INK}})
    nodes = [
        {"name": name, "x": x, "y": y, "label": {"color": "#ffffff"}, "itemStyle": {"color": "#1d4ed8"}}
        for name, (x, y) in _PLACES.items()
    ]
    series = {
        "type": "graph",
        "layout": "none",
        "preserveAspect": True,
        "symbol": "circle",
        "symbolSize": 68,
        "edgeSymbol": ["none", "arrow"],
        "edgeSymbolSize": 9,
        "label": {"show": True, "fontSize": 11},
        "lineStyle": {"color": _INK, "opacity": 0.9},
        "left": 60,
        "right": 60,
        "top": 60,
        "bottom": 40,
        "data": nodes,
        "links": links,
    }
    return {"animation": False, "series": [series]}


def label(arrow: Arrow) -> str:
    """What is written on an arrow."""
    said = [f"{arrow.topic} {arrow.rate:.1f}/s"]
    if late := max((records for group, (records, _) in arrow.behind.items() if group != GROUP), default=0):
        said.append(f"{late} behind")
    if arrow.dead:
        said.append(f"{arrow.dead} dead")
    return " · ".join(said)


def curves(updates: Sequence[UpdateReport]) -> list[tuple[str, dict[str, Any]]]:
    """What is plotted against the version that an update made: titles and charts. Each model counts versions of its
    own, so where there are several each has lines of its own."""
    models = sorted({update.model for update in updates})
    charts: dict[str, dict[str, Points]] = {}
    for model in models:
        for title, lines in _lines([update for update in updates if update.model == model]).items():
            named = {f"{model}: {name}" if len(models) > 1 else name: points for name, points in lines.items()}
            charts.setdefault(title, {}).update(named)
    return [(title, _chart(lines)) for title, lines in (charts or _lines([])).items()]


def _lines(updates: Sequence[UpdateReport]) -> dict[str, dict[str, Points]]:
    """The lines of each chart, of one model."""
    names = sorted({name for report in updates for name in report.metrics if name.startswith("kl")})
    return {
        "Reward": {
            "trained samples": _of(updates, lambda u: u.reward_mean),
            "validation": [[float(each.version), each.reward_mean] for u in updates for each in u.validations],
        },
        "Entropy (nats)": {"entropy": _metric(updates, "entropy")},
        "KL (nats)": {name: _metric(updates, name) for name in names},
        "Lags: policy and publish (versions), consumer (records)": {
            "policy, mean": _of(updates, lambda u: u.policy_lag_mean),
            "policy, most": _of(updates, lambda u: float(u.policy_lag_max)),
            "publish": _of(updates, lambda u: u.publish_lag_versions),
            "consumer": _of(updates, lambda u: float(u.consumer_lag_records)),
        },
    }


def _metric(updates: Sequence[UpdateReport], name: str) -> Points:
    return _of(updates, lambda update: update.metrics.get(name))


def _of(updates: Sequence[UpdateReport], value: Callable[[UpdateReport], float | None]) -> Points:
    return [[float(update.version), found] for update in updates if (found := value(update)) is not None]


def _chart(lines: dict[str, Points]) -> dict[str, Any]:
    axis = {
        "axisLabel": {"color": _INK},
        "nameTextStyle": {"color": _INK},
        "splitLine": {"lineStyle": {"opacity": 0.3}},
    }
    series = [
        {"type": "line", "name": name, "data": points, "showSymbol": len(points) < 60} for name, points in lines.items()
    ]
    return {
        "animation": False,
        "tooltip": {"trigger": "axis", "renderMode": "richText"},
        "legend": {"textStyle": {"color": _INK}, "top": 0},
        "grid": {"left": 55, "right": 20, "top": 35, "bottom": 40},
        "xAxis": axis | {"type": "value", "name": "version", "nameLocation": "middle", "nameGap": 24, "minInterval": 1},
        "yAxis": axis | {"type": "value", "scale": True},
        "series": series,
    }
