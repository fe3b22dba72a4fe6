"""A judge behind OpenAI's protocol, as any language model would be: by rules, and wrong now and then.

Invariant: it knows what its prompt shows, the user's next words among it, and nothing of tastes or policies. Its model
names say what it is asked as: ``judge`` scores, ``hints`` looks back for hints. Where a trajectory's metadata
asks it to mislead, as the control's do, its hints are for another style.
"""

import contextlib
import random
import re
from collections.abc import AsyncIterator

from aiohttp import web

from clawstream.streams.process.ports import HOST
from examples.personal.styles import CORRECTIONS, HINTS, STYLES, THANKS, Style

_NEXT_STATE = re.compile(r"<next_state>\n(.*?)\n</next_state>", re.DOTALL)
_MISLEAD = '{"mislead":true}'
_VOTES = (1, -1, 0)


class Judge:
    """Answers one vote at a time."""

    def __init__(self, noise: float, seed: int) -> None:
        """``noise``: share of the votes that are wrong."""
        self._noise, self._rng = noise, random.Random(seed)  # noqa: S311  # nothing here is secret

    def says(self, model: str, prompt: str) -> str:
        """The answer of ``model`` to ``prompt``."""
        found = _NEXT_STATE.search(prompt)
        followed = found.group(1) if found else ""
        if model == "judge":
            return rf"\boxed{{{self._vote(1 if THANKS in followed else -1)}}}"
        wanted = next((style for style in STYLES if CORRECTIONS[style] in followed), None)
        if wanted is None or self._errs():
            return r"The user does not say. \boxed{-1}"
        hint = HINTS[_another(wanted) if _MISLEAD in prompt else wanted]
        return rf"\boxed{{1}} [HINT_START]{hint}[HINT_END]"

    async def answer(self, request: web.Request) -> web.Response:
        """``POST /v1/chat/completions``."""
        body = await request.json()
        text = self.says(body["model"], body["messages"][-1]["content"])
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        return web.json_response(
            {"id": "vote", "object": "chat.completion", "created": 0, "model": body["model"], "choices": [choice]}
        )

    def _vote(self, right: int) -> int:
        return self._rng.choice([vote for vote in _VOTES if vote != right]) if self._errs() else right

    def _errs(self) -> bool:
        return self._rng.random() < self._noise


def _another(style: Style) -> Style:
    return "warm" if style == "plain" else "plain"


@contextlib.asynccontextmanager
async def judging(judge: Judge) -> AsyncIterator[str]:
    """``judge`` on a free port; its URL, with ``/v1``."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", judge.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    try:
        yield f"http://{HOST}:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()
