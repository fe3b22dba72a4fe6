"""What every page has: its name, the way to the others, who is looking."""

import contextlib
from collections.abc import Iterator

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from clawstream.console.access.sessions import Session
from clawstream.console.context import Console
from clawstream.console.pages.words import count

_PLACES = (
    ("/", "Overview"),
    ("/trajectories", "Trajectories"),
    ("/review", "Review"),
    ("/batch", "Next batch"),
    ("/updates", "Updates"),
    ("/datasets", "Datasets"),
    ("/letters", "Dead letters"),
)
_LOOK_SECONDS = 15.0
_HEAD = '<link rel="stylesheet" href="/assets/console.css">'


@contextlib.contextmanager
def frame(console: Console, session: Session | None, place: str) -> Iterator[None]:
    """A page at ``place`` of the menu."""
    ui.add_head_html(_HEAD)
    ui.colors(primary="#1d4ed8", secondary="#0f766e", accent="#7e22ce", positive="#15803d", negative="#b91c1c")
    dark = ui.dark_mode(None if session is None else session.dark)
    with ui.header().classes("cs-header"):
        ui.link("ClawStream", "/").classes("cs-name")
        if session is not None:
            with ui.element("nav").props('aria-label="Pages"').classes("cs-nav"):
                for target, name in _PLACES:
                    link = ui.link(name, target)
                    if target == place:
                        link.props("aria-current=page")
            ui.space()
            _tools(session, dark)
    with ui.element("div").classes("cs-main"):
        if session is not None:
            _progress(console)
            _keep_out(console, session)
        yield


def heading(text: str, level: int = 1) -> TextElement:
    """A heading that says ``text``."""
    return text_in(f"h{level}", text, f"cs-h{level}")


def text_in(tag: str, text: str, classes: str = "") -> TextElement:
    """An element with nothing but ``text`` in it."""
    return TextElement(tag=tag, text=text).classes(classes)


def _tools(session: Session, dark: ui.dark_mode) -> None:
    def toggle() -> None:
        session.dark = dark.value = not dark.value

    ui.label(session.tenant).classes("cs-tenant")
    ui.button(icon="contrast", on_click=toggle).props('flat round dense color=white aria-label="Dark or light"')
    if session.key:
        with ui.element("form").props("method=post action=/session/end"):
            ui.button(icon="logout").props('flat round dense color=white type=submit aria-label="Log out"')


def _keep_out(console: Console, session: Session) -> None:
    """Close the page once the session's key is no good any more."""

    async def look() -> None:
        if await console.sessions.of(session.cookie) is None:
            ui.navigate.to("/login")

    ui.timer(_LOOK_SECONDS, look, immediate=False)


def _progress(console: Console) -> None:
    label = ui.label().classes("cs-progress").props("role=status")

    def tell() -> None:
        done, total = console.progress
        label.text = "" if done >= total else f"The index is being built: {count(done)} of {count(total)} records"
        label.set_visibility(done < total)

    tell()
    ui.timer(1.0, tell)
