"""The web site: pages, the routes that are no pages, and what stands around all of them.

Invariant: no page and no route but the log-in shows anything without a session, and a session is a tenant's.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs

import msgspec
from fastapi import FastAPI
from nicegui import ui
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from clawstream.console.access.browsers import Guard
from clawstream.console.access.sessions import COOKIE
from clawstream.console.context import Console
from clawstream.console.datasets import DatasetFolder, file_of
from clawstream.console.gateway import GatewayError
from clawstream.console.pages import addresses
from clawstream.console.pages.routes import logged_in, register
from clawstream.streams.reading.printing import plain
from clawstream.streams.settings import load

_ASSETS = Path(__file__).parent / "assets"
_MOST_FORM_BYTES = 10_000
_SEE_OTHER = 303


def site(console: Console) -> ASGIApp:
    """The application. Once in a process: NiceGUI keeps its pages in one place."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/assets", StaticFiles(directory=_ASSETS))
    app.add_route("/session", _begins(console), methods=["POST"])
    app.add_route("/session/end", _ends(console), methods=["POST"])
    app.add_route("/raw", _raw(console), methods=["GET"])
    app.add_route("/dataset", _dataset(console), methods=["GET"])
    register(console)
    ui.run_with(
        app,
        title="ClawStream",
        dark=None,
        language="en-US",
        tailwind=False,
        gzip_middleware_factory=None,
        show_welcome_message=False,
        reconnect_timeout=10.0,
        favicon=_ASSETS / "favicon.svg",
    )
    names = [name.strip() for name in console.settings.hosts.split(",") if name.strip()]
    return Guard(app, [console.settings.host, *names])


def _begins(console: Console) -> Callable[[Request], Awaitable[Response]]:
    async def begin(request: Request) -> Response:
        body = await request.body()
        form = parse_qs(body[:_MOST_FORM_BYTES].decode(errors="replace"))
        key, after = form.get("key", [""])[0].strip(), addresses.inside(form.get("next", ["/"])[0])
        try:
            return logged_in(await console.sessions.begin(key), after)
        except GatewayError as error:
            return RedirectResponse(f"{addresses.login(after)}&{addresses.problem(str(error))}", _SEE_OTHER)

    return begin


def _ends(console: Console) -> Callable[[Request], Awaitable[Response]]:
    async def end(request: Request) -> Response:
        console.sessions.end(request.cookies.get(COOKIE, ""))
        answer = RedirectResponse("/login", _SEE_OTHER)
        answer.delete_cookie(COOKIE)
        return answer

    return end


def _raw(console: Console) -> Callable[[Request], Awaitable[Response]]:
    async def raw(request: Request) -> Response:
        session = await console.sessions.of(request.cookies.get(COOKIE))
        if session is None:
            return RedirectResponse(addresses.login("/"), _SEE_OTHER)
        asked = request.query_params
        kept = console.reading(session).record(asked.get("topic", ""), asked.get("id", ""))
        if kept is None:
            return Response("there is no such record\n", 404, media_type="text/plain")
        where = {"topic": kept.topic, "partition": kept.partition, "offset": kept.offset, "record": plain(kept.record)}
        return Response(msgspec.json.format(msgspec.json.encode(where)), media_type="application/json")

    return raw


def _dataset(console: Console) -> Callable[[Request], Awaitable[Response]]:
    async def dataset(request: Request) -> Response:
        session = await console.sessions.of(request.cookies.get(COOKIE))
        if session is None or not console.is_operator(session):
            return RedirectResponse(addresses.login("/datasets"), _SEE_OTHER)
        asked, root = request.query_params, load(DatasetFolder).folder
        found = await asyncio.to_thread(file_of, root, asked.get("name", ""), asked.get("path", ""))
        if found is None:
            return Response("there is no such file\n", 404, media_type="text/plain")
        return FileResponse(found, filename=found.name, media_type="application/octet-stream")

    return dataset
