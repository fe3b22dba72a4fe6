"""The pipeline, alive: what flows, who is behind, which versions are served, and whether it helps."""

import asyncio

from nicegui import ui

from clawstream.console.access.sessions import Session
from clawstream.console.context import Console
from clawstream.console.index.filters import Filter
from clawstream.console.index.summary import STATUSES
from clawstream.console.pages import addresses
from clawstream.console.pages.charts import curves, pipeline
from clawstream.console.pages.frame import heading
from clawstream.console.pages.parts import table
from clawstream.console.pages.words import ago, count
from clawstream.console.stories.arrows import Arrow, arrows

_LOOK_SECONDS = 2.0


class Overview:
    """One open overview."""

    def __init__(self, console: Console, session: Session) -> None:
        self._console, self._session = console, session
        self._seen, self._updates_seen = -1, 0

    async def show(self) -> None:
        """Build the page."""
        heading("Overview")
        self._problem = ui.label().classes("cs-bad").props("role=status")
        self._counts = ui.element("div").classes("cs-row")
        heading("Pipeline", 2)
        self._picture = ui.echart(pipeline([]), renderer="svg").classes("cs-pipeline").props("role=img")
        self._picture.props["aria-label"] = "The pipeline; the table below says the same"
        self._arrows = ui.element("div")
        heading("Nodes", 2)
        self._nodes = ui.element("div")
        heading("Learning", 2)
        self._curves = ui.element("div").classes("cs-cards")
        await self._refresh()
        ui.timer(_LOOK_SECONDS, self._refresh)

    async def _refresh(self) -> None:
        beat = self._console.pulse.look()
        self._problem.text = beat.problem
        found = list(arrows(dict(beat.rates), dict(beat.totals), dict(beat.dead), beat.report))
        options = pipeline(found)
        if self._picture.options != options:
            self._picture.options.clear()
            self._picture.options.update(options)
            self._picture.update()
        self._arrows.clear()
        with self._arrows:
            table("Topics", ("Topic", "From", "Records/s", "Records", "Behind", "Dead letters"), map(_row, found))
        self._nodes.clear()
        with self._nodes:
            nodes = beat.report.nodes if beat.report is not None else []
            rows = [
                (
                    n.node,
                    n.model,
                    str(n.version),
                    f"{n.versions} behind {n.newest}",
                    n.health,
                    f"{ago(n.silent_seconds)} ago",
                )
                for n in nodes
            ]
            table("Nodes", ("Node", "Model", "Serves version", "Newest", "Health", "Heard"), rows)
        if self._seen != self._console.index.changed:
            self._seen = self._console.index.changed
            await self._count()

    async def _count(self) -> None:
        reading = self._console.reading(self._session)
        counts, there = await asyncio.to_thread(lambda: (reading.counts(), reading.update_count()))
        self._counts.clear()
        with self._counts:
            for status in STATUSES:
                link = ui.link(
                    f"{count(counts.get(status, 0))} {status}", addresses.trajectories(Filter(status=status))
                )
                link.classes("cs-chip")
        if there != self._updates_seen:
            self._updates_seen = there
            updates = await asyncio.to_thread(reading.updates)
            self._curves.clear()
            with self._curves:
                for title, options in curves(updates):
                    with ui.element("section"):
                        heading(title, 3)
                        chart = ui.echart(options, renderer="svg").classes("cs-chart").props("role=img")
                        chart.props["aria-label"] = f"{title}, by version"


def _row(arrow: Arrow) -> tuple[str, ...]:
    behind = "; ".join(
        f"{group}: {count(records)}{f', for {ago(seconds)}' if records else ''}"
        for group, (records, seconds) in sorted(arrow.behind.items())
    )
    return arrow.topic, arrow.writer, f"{arrow.rate:.1f}", count(arrow.total), behind or "–", count(arrow.dead)
