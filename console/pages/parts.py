"""Tables and lists of facts, made of nothing but text and links."""

from collections.abc import Callable, Iterable, Sequence

from nicegui import ui

from clawstream.console.pages.frame import text_in

Cell = str | tuple[str, str]  # a text, or a text and where it leads
Show = Callable[[], object]


def table(name: str, columns: Sequence[str], rows: Iterable[Sequence[Cell | Show]]) -> None:
    """A table called ``name``; a cell that can be called shows itself."""
    scroll = ui.element("div").classes("cs-scroll").props("tabindex=0 role=region")
    scroll.props["aria-label"] = name
    with scroll, ui.element("table").classes("cs-table"):
        with ui.element("thead"), ui.element("tr"):
            for column in columns:
                text_in("th", column).props("scope=col")
        with ui.element("tbody"):
            for row in rows:
                with ui.element("tr"):
                    for cell in row:
                        _cell(cell)


def facts(found: Iterable[tuple[str, Cell]]) -> None:
    """Names and values."""
    with ui.element("dl").classes("cs-facts"):
        for name, value in found:
            with ui.element("div"):
                text_in("dt", name)
                if isinstance(value, str):
                    text_in("dd", value)
                else:
                    with ui.element("dd"):
                        ui.link(*value)


def _cell(cell: Cell | Show) -> None:
    if isinstance(cell, str):
        text_in("td", cell)
        return
    with ui.element("td"):
        if isinstance(cell, tuple):
            ui.link(*cell)
        else:
            cell()
