"""The page of one trajectory."""

import asyncio
from collections.abc import Callable

from nicegui import ui

from clawstream.console.access.sessions import Session
from clawstream.console.context import Console
from clawstream.console.index.filters import Filter
from clawstream.console.index.reading import Listed, Outcome
from clawstream.console.index.summary import READY, STATUSES
from clawstream.console.pages import addresses, trajectory_tabs
from clawstream.console.pages.curation import subject_bar
from clawstream.console.pages.frame import heading
from clawstream.console.pages.parts import Cell, facts
from clawstream.console.pages.words import at_ms, count, number, versions
from clawstream.console.statements import Subject
from clawstream.console.stories.story import Story, story
from clawstream.schemas import UpdateReport

_LOOK_SECONDS = 2.0
TABS = ("conversation", "tokens", "rewards", "timeline")


class TrajectoryPage:
    """One open trajectory."""

    def __init__(self, console: Console, session: Session, trajectory_id: str, step_id: str, tab: str) -> None:
        self._console, self._session = console, session
        self._id, self._step_id = trajectory_id, step_id
        self._tab = tab if tab in TABS else TABS[0]
        self._seen = -1

    async def show(self) -> None:
        """Build the page."""
        heading(self._id)
        await self._ask()
        if self._listed is None:
            ui.label("There is no such trajectory in the index; perhaps it is older than what the index keeps.")
            return
        self._facts = ui.element("div")
        subject = Subject(trajectory_id=self._id, group_id=self._listed.group_id)
        late = STATUSES.index(self._listed.status) >= READY
        subject_bar(self._console, self._session, subject, late=late)
        with ui.tabs().props("align=left dense no-caps outside-arrows") as tabs:
            for name in TABS:
                ui.tab(name, name.capitalize())
        tabs.value = self._tab
        tabs.on_value_change(self._turn_to)
        self._panel = ui.element("section")
        self._fill()
        ui.timer(_LOOK_SECONDS, self._refresh)

    async def _ask(self) -> None:
        self._seen = self._console.index.changed
        self._listed, self._story, self._outcomes, self._updates = await asyncio.to_thread(self._read)

    def _read(self) -> tuple[Listed | None, Story, list[Outcome], list[UpdateReport]]:
        reading = self._console.reading(self._session)
        told = story(reading.records(self._id))
        outcomes = reading.outcomes([sample.sample_id for sample in told.samples])
        return reading.trajectory(self._id), told, outcomes, reading.updates_named({o.update_id for o in outcomes})

    async def _refresh(self) -> None:
        if self._seen != self._console.index.changed:
            before = (self._listed, len(self._story.whole.feedback), len(self._story.whole.rewards))
            await self._ask()
            if before != (self._listed, len(self._story.whole.feedback), len(self._story.whole.rewards)):
                self._fill()

    def _turn_to(self, event: object) -> None:
        self._tab = str(getattr(event, "value", TABS[0]))
        ui.navigate.history.replace(addresses.trajectory(self._id, self._step_id, self._tab))
        self._fill()

    def _fill(self) -> None:
        self._facts.clear()
        self._panel.clear()
        with self._facts:
            self._show_facts()
        shows: dict[str, Callable[[], None]] = {
            "conversation": lambda: trajectory_tabs.conversation(
                self._console, self._session, self._story, self._step_id
            ),
            "tokens": lambda: trajectory_tabs.tokens(self._console, self._story, self._step_id),
            "rewards": lambda: trajectory_tabs.rewards(self._console, self._session, self._story),
            "timeline": lambda: trajectory_tabs.life(self._story, self._outcomes, self._updates),
        }
        with self._panel:
            shows[self._tab]()

    def _show_facts(self) -> None:
        listed = self._listed
        if listed is None:
            return
        status = listed.status if listed.status != "rejected" else f"rejected: {listed.reason}"
        found: list[tuple[str, Cell]] = [
            ("Status", status),
            ("Reward", number(listed.reward)),
            ("Steps", f"{listed.steps}, {count(listed.tokens)} tokens sampled, {listed.rejected} rejected"),
            ("Versions", versions(listed.version_min, listed.version_max)),
            ("Agent", listed.agent or "–"),
            ("Channel", listed.channel or "–"),
            ("Review", " ".join(part for part in (listed.review, listed.tags) if part) or "–"),
            ("Opened (UTC)", at_ms(listed.opened_ms)),
            ("Last heard of (UTC)", at_ms(listed.last_ms)),
            ("Group", (listed.group_id or "–", addresses.trajectories(Filter(group=listed.group_id)))),
        ]
        used = [(each, addresses.update(each.update_id)) for each in self._outcomes]
        facts([*found, *((each.status.capitalize(), (f"update {each.version}", where)) for each, where in used)])
