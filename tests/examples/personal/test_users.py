"""Users at a server that answers from a script, in OpenAI's protocol."""

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from openai import AsyncOpenAI

from examples.personal.styles import CORRECTIONS, GIVEN_UP, REASKED, THANKS, reply
from examples.personal.users import MOST_TRIES, User

LIKED, DISLIKED = reply("tea", ("plain",) * 3), reply("tea", ("plain", "warm", "plain"))


class Server:
    """Answers to give, and what came."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.asked: list[list[dict[str, Any]]] = []
        self.said: list[tuple[str, dict[str, Any]]] = []

    async def answer(self, request: web.Request) -> web.Response:
        route, body = request.path.rpartition("/")[2], await request.json()
        if route != "completions":
            self.said.append((route, body))
            return web.json_response({})
        self.asked.append(body["messages"])
        message = {"role": "assistant", "content": self.answers.pop(0)}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return web.json_response(
            {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
        )


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, User]]:
    script, app = Server(), web.Application()
    app.router.add_post("/{path:.*}", script.answer)
    async with TestServer(app) as running:
        url = str(running.make_url("")).rstrip("/")
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            yield script, User(client=client, gateway_url=url, likes="plain")


async def test_who_is_content_says_thanks_and_goes(server: tuple[Server, User]) -> None:
    script, user = server
    script.answers = [DISLIKED, LIKED]
    talk = await user.talk(random.Random(0))
    assert (talk.tries, talk.whole, talk.liked) == (2, 2, True)
    assert script.asked[1][1:] == [
        {"role": "assistant", "content": DISLIKED},
        {"role": "user", "content": script.asked[1][-1]["content"]},
    ]
    assert script.asked[1][-1]["content"] in (CORRECTIONS["plain"], REASKED)
    thanks = {"messages": [{"role": "user", "content": THANKS}]}
    assert script.said == [("feedback", {"kind": "observed", "detail": thanks}), ("complete_trajectory", {})]


async def test_who_is_never_content_gives_up(server: tuple[Server, User]) -> None:
    script, user = server
    script.answers = [DISLIKED] * MOST_TRIES
    talk = await user.talk(random.Random(0))
    assert (talk.tries, talk.liked) == (MOST_TRIES, False)
    assert script.said[0][1]["detail"]["messages"][0]["content"] == GIVEN_UP


async def test_a_trial_is_rewarded_by_its_one_answer(server: tuple[Server, User]) -> None:
    script, user = server
    script.answers = [DISLIKED, LIKED]
    assert [await user.try_out(random.Random(0)) for _ in range(2)] == [False, True]
    assert script.said == [("complete_trajectory", {"reward": 0.0}), ("complete_trajectory", {"reward": 1.0})]
