"""The list of trajectories: live, narrowed by its URL."""

import asyncio
from collections.abc import Sequence
from typing import Any

from nicegui import ui

from clawstream.console.access.sessions import Session
from clawstream.console.context import Console
from clawstream.console.index.filters import Filter
from clawstream.console.index.reading import MOST_MATCHES, Listed
from clawstream.console.index.summary import STATUSES
from clawstream.console.pages import addresses
from clawstream.console.pages.curation import curation_bar
from clawstream.console.pages.frame import heading
from clawstream.console.pages.words import at_ms, number, versions

_LOOK_SECONDS = 2.0
_COLUMNS: list[dict[str, Any]] = [
    {"name": "trajectory", "label": "Trajectory", "field": "trajectory", "align": "left"},
    {"name": "status", "label": "Status", "field": "status", "align": "left"},
    {"name": "reward", "label": "Reward", "field": "reward"},
    {"name": "steps", "label": "Steps", "field": "steps"},
    {"name": "tokens", "label": "Tokens", "field": "tokens"},
    {"name": "versions", "label": "Versions", "field": "versions"},
    {"name": "agent", "label": "Agent", "field": "agent", "align": "left"},
    {"name": "channel", "label": "Channel", "field": "channel", "align": "left"},
    {"name": "group", "label": "Group", "field": "group", "align": "left"},
    {"name": "review", "label": "Review", "field": "review", "align": "left"},
    {"name": "last", "label": "Last heard of (UTC)", "field": "last", "align": "left"},
]
_LINK = '<q-td :props="props"><a :href="props.row.href">{{ props.value }}</a></q-td>'
_CHOOSE = """<q-checkbox v-model="props.selected" :aria-label="'Choose ' + {whom}" dense />"""


def row_of(listed: Listed) -> dict[str, Any]:
    """A row of the table: its names are fixed, so nothing in it can be taken for anything but a value."""
    status = listed.status
    if listed.status == "rejected":
        status = f"rejected: {listed.reason}"
    elif listed.update_version is not None:
        status = f"{listed.status} in update {listed.update_version}"
    return {
        "number": listed.number,
        "trajectory": listed.trajectory_id,
        "href": addresses.trajectory(listed.trajectory_id),
        "status": status,
        "reward": number(listed.reward),
        "steps": listed.steps,
        "tokens": listed.tokens,
        "versions": versions(listed.version_min, listed.version_max),
        "agent": listed.agent,
        "channel": listed.channel,
        "group": listed.group_id,
        "review": " ".join(part for part in (listed.review, listed.tags) if part),
        "last": at_ms(listed.last_ms),
    }


def table_of(found: Sequence[Listed]) -> ui.table:
    """A table of trajectories, whose rows can be chosen."""
    table = ui.table(columns=_COLUMNS, rows=[row_of(each) for each in found], row_key="number", selection="multiple")
    table.props("flat bordered dense wrap-cells").classes("cs-wide")
    table.add_slot("body-cell-trajectory", _LINK)
    table.add_slot("header-selection", _CHOOSE.format(whom="'all'"))
    table.add_slot("body-selection", _CHOOSE.format(whom="props.row.trajectory"))
    return table


class Trajectories:
    """One open list."""

    def __init__(self, console: Console, session: Session, wanted: Filter) -> None:
        self._console, self._session, self._wanted = console, session, wanted
        self._seen, self._found = -1, list[Listed]()

    async def show(self) -> None:
        """Build the page."""
        heading("Trajectories")
        self._filters()
        self._note = ui.label().classes("cs-dim").props("role=status")
        self._found = await self._ask()
        self._table = table_of(self._found)
        curation_bar(self._console, self._session, self._chosen)
        with ui.element("div").classes("cs-row"):
            ui.button("Newest", color=None, on_click=lambda: self._to(self._wanted.but())).props("flat")
            ui.button("Older", color=None, on_click=self._older).props("flat")
        self._tell()
        ui.timer(_LOOK_SECONDS, self._refresh)

    def _filters(self) -> None:
        wanted = self._wanted

        def text(label: str, name: str) -> None:
            value = getattr(wanted, name)
            shown = "" if value is None else value if isinstance(value, str) else f"{value:g}"
            field = ui.input(label, value=shown).props("dense outlined clearable debounce=400")
            field.on_value_change(lambda event: self._narrow(**{name: event.value or ""}))

        with ui.element("search").classes("cs-row"):
            text("Search texts", "text")
            status = ui.select(
                {"": "any status"} | {each: each for each in STATUSES}, value=wanted.status, label="Status"
            )
            status.props("dense outlined").on_value_change(lambda event: self._narrow(status=event.value))
            for label, name in (("Agent", "agent"), ("Channel", "channel"), ("Group", "group")):
                text(label, name)
            for label, name in (("Reward from", "reward_min"), ("to", "reward_max"), ("Version from", "version_min")):
                text(label, name)
            text("Steps from", "steps_min")

    async def _narrow(self, **changed: str) -> None:
        await self._to(Filter.read(self._wanted.but().write() | changed))

    async def _older(self) -> None:
        if self._found:
            await self._to(self._wanted.but(before=float(self._found[-1].last_ms)))

    async def _to(self, wanted: Filter) -> None:
        self._wanted, self._seen = wanted, -1
        ui.navigate.history.replace(addresses.trajectories(wanted))
        await self._refresh()

    async def _refresh(self) -> None:
        if self._seen != self._console.index.changed:
            self._found = await self._ask()
            self._table.update_rows([row_of(each) for each in self._found], clear_selection=False)
            self._tell()

    async def _ask(self) -> list[Listed]:
        self._seen = self._console.index.changed
        reading = self._console.reading(self._session)
        return await asyncio.to_thread(reading.trajectories, self._wanted, self._console.settings.page_rows)

    def _tell(self) -> None:
        count = len(self._found)
        said = "nothing" if not count else f"{count} trajectories" if count > 1 else "1 trajectory"
        if self._wanted.text:
            said += f", searched among the newest {MOST_MATCHES} steps with these words"
        self._note.text = said

    def _chosen(self) -> list[str]:
        return [row["trajectory"] for row in self._table.selected]
