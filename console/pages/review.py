"""What waits for a person's word."""

import asyncio

from nicegui import ui

from clawstream.console.access.sessions import Session
from clawstream.console.context import Console
from clawstream.console.pages.curation import curation_bar
from clawstream.console.pages.frame import heading
from clawstream.console.pages.trajectories import row_of, table_of

_LOOK_SECONDS = 2.0


async def review(console: Console, session: Session) -> None:
    """The queue."""
    reading, most = console.reading(session), console.settings.page_rows
    heading("Review")
    ui.label(
        "Trajectories that are in no sample yet and nobody has decided about, those that have ended first. With "
        "processors.require_review only what a person accepts trains."
    ).classes("cs-dim")
    table = table_of(await asyncio.to_thread(reading.review_queue, most))
    curation_bar(console, session, lambda: [row["trajectory"] for row in table.selected])
    seen = console.index.changed

    async def refresh() -> None:
        nonlocal seen
        if seen != console.index.changed:
            seen = console.index.changed
            found = await asyncio.to_thread(reading.review_queue, most)
            names = {row["number"] for row in table.selected} & {each.number for each in found}
            table.update_rows([row_of(each) for each in found], clear_selection=False)
            table.selected = [row for row in table.rows if row["number"] in names]

    ui.timer(_LOOK_SECONDS, refresh)
