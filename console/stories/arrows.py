"""The arrows of the pipeline's picture. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from clawstream.streams.lag.behind import Report
from clawstream.topics import CATALOGUE

_READERS = {
    "steps": "processors",
    "feedback": "processors",
    "next-states": "processors",
    "rewards": "processors",
    "trajectories": "processors",
    "samples": "trainer",
    "rejected": "rejected",
    "weights": "rollout",
    "nodes": "gateway",
    "updates": "updates",
}


@dataclass(frozen=True, kw_only=True)
class Arrow:
    """A topic between the app that writes it and the one that it is for."""

    topic: str
    writer: str
    reader: str
    rate: float  # records per second
    total: int
    dead: int
    behind: dict[str, tuple[int, float]]  # of each group: records, and the age of the oldest of them in seconds


def arrows(
    rates: dict[str, float], totals: dict[str, int], dead: dict[str, int], report: Report | None
) -> Iterator[Arrow]:
    """Every topic of the catalogue."""
    for topic in CATALOGUE:
        behind: dict[str, tuple[int, float]] = {}
        for each in report.groups if report is not None else []:
            if each.topic == topic.name:
                records, seconds = behind.get(each.group, (0, 0.0))
                behind[each.group] = (records + each.records, max(seconds, each.seconds))
        yield Arrow(
            topic=topic.name,
            writer=topic.writer,
            reader=_READERS[topic.name],
            rate=rates.get(topic.name, 0.0),
            total=totals.get(topic.name, 0),
            dead=dead.get(topic.name, 0),
            behind=behind,
        )
