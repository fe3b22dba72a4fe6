"""Which page is where, and who may see it.

Invariant: no page but the log-in shows anything without a session, and a session is a tenant's.
"""

from collections.abc import Awaitable, Callable

from nicegui import ui
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from clawstream.console.access.sessions import COOKIE, Session
from clawstream.console.context import Console
from clawstream.console.gateway import GatewayError, KeyRefusedError
from clawstream.console.index.filters import Filter
from clawstream.console.pages import addresses
from clawstream.console.pages.batch import batch
from clawstream.console.pages.datasets import Datasets
from clawstream.console.pages.frame import frame
from clawstream.console.pages.letters import letters
from clawstream.console.pages.login import login
from clawstream.console.pages.overview import Overview
from clawstream.console.pages.review import review
from clawstream.console.pages.trajectories import Trajectories
from clawstream.console.pages.trajectory import TrajectoryPage
from clawstream.console.pages.updates import update, updates

_SEE_OTHER = 303
_PAGE_SECONDS = 20.0

Show = Callable[[Session, Request], Awaitable[None]]


def register(console: Console) -> None:
    """Make every page known to NiceGUI."""

    async def trajectories(session: Session, request: Request) -> None:
        await Trajectories(console, session, Filter.read(request.query_params)).show()

    async def trajectory(session: Session, request: Request) -> None:
        asked = request.query_params
        await TrajectoryPage(console, session, asked.get("id", ""), asked.get("step", ""), asked.get("tab", "")).show()

    async def one_update(session: Session, request: Request) -> None:
        await update(console, session, request.query_params.get("id", ""))

    _log_in(console)
    _page(console, "/", "Overview", lambda session, _: Overview(console, session).show())
    _page(console, "/review", "Review", lambda session, _: review(console, session))
    _page(console, "/batch", "Next batch", lambda session, _: batch(console, session))
    _page(console, "/updates", "Updates", lambda session, _: updates(console, session))
    _page(console, "/update", "Update", one_update)
    _page(console, "/datasets", "Datasets", lambda session, _: Datasets(console, session).show())
    _page(console, "/letters", "Dead letters", lambda session, _: letters(console, session))
    _page(console, "/trajectories", "Trajectories", trajectories)
    _page(console, "/trajectory", "Trajectory", trajectory)


def logged_in(cookie: str, after: str) -> Response:
    """On to the page ``after``, with the session's cookie."""
    answer = RedirectResponse(after, _SEE_OTHER)
    answer.set_cookie(COOKIE, cookie, httponly=True, samesite="lax")
    return answer


def _page(console: Console, path: str, title: str, show: Show) -> None:
    @ui.page(path, title=f"{title} – ClawStream", response_timeout=_PAGE_SECONDS)
    async def _(request: Request) -> Response | None:
        session = await console.sessions.of(request.cookies.get(COOKIE))
        if session is None:
            here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(addresses.login(here), _SEE_OTHER)
        with frame(console, session, path):
            await show(session, request)
        return None


def _log_in(console: Console) -> None:
    @ui.page("/login", title="Log in – ClawStream")
    async def _(request: Request) -> Response | None:
        after = addresses.inside(request.query_params.get("next", "/"))
        problem = request.query_params.get("problem", "")
        if not problem:
            try:
                return logged_in(await console.sessions.begin(""), after)
            except KeyRefusedError:
                pass
            except GatewayError as error:
                problem = str(error)
        login(console, after, problem)
        return None
