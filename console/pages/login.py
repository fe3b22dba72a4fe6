"""The page that asks for a key."""

from nicegui import ui

from clawstream.console.context import Console
from clawstream.console.pages.addresses import inside
from clawstream.console.pages.frame import frame, heading


def login(console: Console, after: str, problem: str) -> None:
    """Ask for a key of the gateway, and go on to ``after``."""
    with frame(console, None, ""):
        heading("Log in")
        with ui.element("form").props("method=post action=/session").classes("cs-form"):
            ui.label("Use an API key of the gateway. You will see what its tenant may see.")
            key = ui.input("API key").props("type=password name=key autocomplete=current-password outlined autofocus")
            key.classes("cs-wide")
            ui.element("input").props("type=hidden name=next").props["value"] = inside(after)
            if problem:
                ui.label(problem).classes("cs-bad").props("role=alert")
            ui.button("Log in").props("type=submit")
