"""Datasets: the versions that there are, building the next one, comparing two, and their files.

Invariant: a dataset may hold rows of every tenant, so operators alone see them.
"""

import asyncio
from collections.abc import Sequence

from nicegui import ui

from clawstream.console.access.sessions import Session
from clawstream.console.context import Console
from clawstream.console.datasets import AskedError, DatasetFolder, Version, building, run, versions
from clawstream.console.pages import addresses
from clawstream.console.pages.frame import heading
from clawstream.console.pages.parts import Cell, Show, table
from clawstream.console.pages.words import count
from clawstream.streams.settings import load


class Datasets:
    """The open page."""

    def __init__(self, console: Console, session: Session) -> None:
        self._console, self._session = console, session
        self._root = load(DatasetFolder).folder

    async def show(self) -> None:
        """Build the page."""
        heading("Datasets")
        if not self._console.is_operator(self._session):
            ui.label(f"Only operators see datasets: the tenants {self._console.settings.operators}.")
            return
        self._list = ui.element("div")
        heading("Build", 2)
        self._form()
        heading("Compare", 2)
        with ui.element("div").classes("cs-row"):
            self._before = ui.select([], label="Before").props("dense outlined")
            self._after = ui.select([], label="After").props("dense outlined")
            ui.button("Compare", icon="difference", color=None, on_click=self._compare).props("outline")
        self._said = ui.label().classes("cs-code").props("role=status")
        self._said.set_visibility(False)
        await self._refresh()

    def _form(self) -> None:
        with ui.element("div").classes("cs-row"):
            self._name = ui.input("Name").props("dense outlined")
            self._rows_from = ui.select(["samples", "steps"], value="samples", label="Rows from").props(
                "dense outlined"
            )
            self._min_reward = ui.number("Reward from").props("dense outlined")
        self._conditions = ui.textarea("Conditions, one a line, as reward>=0.5").props("dense outlined rows=2")
        self._conditions.classes("cs-wide")
        ui.button("Build", icon="dataset", on_click=self._build)

    async def _build(self) -> None:
        reward = self._min_reward.value
        try:
            asked = building(
                (self._name.value or "").strip(),
                self._rows_from.value or "samples",
                self._conditions.value or "",
                None if reward is None else float(reward),
            )
        except AskedError as error:
            self._tell(str(error))
            return
        await self._run(asked)

    async def _compare(self) -> None:
        if not self._before.value or not self._after.value:
            self._tell("Choose two versions")
            return
        status, _ = await self._run(["diff", str(self._before.value), str(self._after.value)])
        if status == 0:
            self._tell("They are the same.")

    async def _run(self, arguments: list[str]) -> tuple[int, str]:
        self._tell("…")
        status, said = await run(self._console.kafka, self._root, arguments)
        self._tell(said.strip() or f"exit status {status}")
        await self._refresh()
        return status, said

    def _tell(self, said: str) -> None:
        self._said.text = said
        self._said.set_visibility(True)

    async def _refresh(self) -> None:
        found = await asyncio.to_thread(lambda: list(versions(self._root)))
        self._list.clear()
        with self._list:
            if not found:
                ui.label(f"There is none in {self._root} yet.")
            names = ("Dataset", "Rows", "Rows from", "Conditions", "Digest of all rows", "Files")
            table("Datasets", names, [_row(version) for version in found])
        choices = {str(version.folder): version.name for version in found}
        for select in (self._before, self._after):
            select.set_options(choices, value=select.value if select.value in choices else None)


def _row(version: Version) -> Sequence[Cell | Show]:
    def files() -> None:
        for path, rows, size_bytes in (*version.files, ("manifest.json", None, None)):
            ui.link(path, addresses.dataset_file(version.name, path)).props("download")
            if rows is not None and size_bytes is not None:
                ui.label(f"{count(rows)} rows, {count(size_bytes)} bytes").classes("cs-dim")

    recipe = version.recipe
    conditions = "; ".join(map(str, recipe.get("where", []))) or "–"
    rows_from = str(recipe.get("rows_from", "samples"))
    return version.name, count(version.rows), rows_from, conditions, version.digest[:16], files
