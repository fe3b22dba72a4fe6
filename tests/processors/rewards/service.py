"""A scoring service on a real port that answers as it is told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Answer = Callable[[str, dict[str, Any]], Any]  # path and body -> JSON, a status, or "hang"


@dataclass
class ScriptedService:
    """What was asked, and how many calls were under way at once."""

    url: str
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    running: int = 0
    most: int = 0


@contextlib.asynccontextmanager
async def serving(answer: Answer, *, seconds: float = 0.0) -> AsyncIterator[ScriptedService]:
    """Each call takes ``seconds``."""
    service = ScriptedService(url="")

    async def handle(request: web.Request) -> web.Response:
        body = await request.json()
        service.asked.append((request.path, body))
        service.running += 1
        service.most = max(service.most, service.running)
        try:
            await asyncio.sleep(seconds)
            given = answer(request.path, body)
            if given == "hang":
                await asyncio.sleep(30)
            return web.Response(status=given, text="no") if isinstance(given, int) else web.json_response(given)
        finally:
            service.running -= 1

    app = web.Application()
    app.router.add_post("/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    service.url = f"http://{host}:{port}"
    try:
        yield service
    finally:
        await runner.cleanup()


def chat(*texts: str) -> Answer:
    """Chat completions that say ``texts`` in turn, the last for ever."""
    left = list(texts)

    def answer(path: str, body: dict[str, Any]) -> Any:
        text = left.pop(0) if len(left) > 1 else left[0]
        return {"choices": [{"message": {"role": "assistant", "content": text}}]}

    return answer
