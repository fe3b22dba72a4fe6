"""Simulated users: each likes one style, and goes on talking as people do. Nothing of ClawStream is imported.

Invariant: a user never says what the judge will make of it. One who is content says thanks; else, in most cases, what
was wrong, or just asks again; and gives up after four tries::

    user  Tell me about tea.                    assistant  Oh, I love tea! It must be noted. That is all.
    user  Please say it plainly.                assistant  In short, tea. It is simple. That is all.
    user  Thanks, I like that.
"""

import random
import uuid
from dataclasses import dataclass
from typing import Any

from openai import AsyncOpenAI

from examples.personal.styles import CORRECTIONS, GIVEN_UP, REASKED, THANKS, Style, is_in, request

MOST_TRIES = 4
CORRECTING = 0.6  # share of the discontented who say what they want
_MOST_TOKENS = 32
_MODEL = "assistant"  # any name will do: a tenant's calls are answered by its own policy


@dataclass(frozen=True, kw_only=True)
class Talk:
    """How one conversation went."""

    tries: int  # answers, the last of which was liked or not
    whole: int  # of them, those that were not cut off: they train
    liked: bool


@dataclass(frozen=True, kw_only=True)
class User:
    """Somebody with a taste.

    Attributes:
        client: an ordinary one, with the key of the user's tenant; whatever its base_url.
        gateway_url: without a path.
        metadata: what the user's trajectories are opened with.
    """

    client: AsyncOpenAI
    gateway_url: str
    likes: Style
    metadata: tuple[tuple[str, Any], ...] = ()

    async def talk(self, rng: random.Random) -> Talk:
        """One conversation from the first request to thanks, or to giving up."""
        messages: list[dict[str, Any]] = [{"role": "user", "content": request(rng)}]
        whole = 0
        client = self._in_new_trajectory("train")
        if self.metadata:
            await client.post("/register_trajectory", cast_to=object, body={"metadata": dict(self.metadata)})
        for tries in range(1, MOST_TRIES + 1):
            text, is_whole = await self._ask(client, messages)
            whole, liked = whole + is_whole, is_in(self.likes, text)
            if liked or tries == MOST_TRIES:
                break
            said = CORRECTIONS[self.likes] if rng.random() < CORRECTING else REASKED
            messages += [{"role": "assistant", "content": text}, {"role": "user", "content": said}]
        parting = {"messages": [{"role": "user", "content": THANKS if liked else GIVEN_UP}]}
        await client.post("/feedback", cast_to=object, body={"kind": "observed", "detail": parting})
        await client.post("/complete_trajectory", cast_to=object, body={})
        return Talk(tries=tries, whole=whole, liked=liked)

    async def try_out(self, rng: random.Random) -> bool:
        """Whether the first answer to one request is liked; on a channel that never trains."""
        client = self._in_new_trajectory("val")
        text, _ = await self._ask(client, [{"role": "user", "content": request(rng)}])
        liked = is_in(self.likes, text)
        await client.post("/complete_trajectory", cast_to=object, body={"reward": float(liked)})
        return liked

    def _in_new_trajectory(self, channel: str) -> AsyncOpenAI:
        name = uuid.uuid4().hex
        headers = {"X-ClawStream-Channel": channel}
        return self.client.with_options(base_url=f"{self.gateway_url}/{name}/{name}/v1", default_headers=headers)

    async def _ask(self, client: AsyncOpenAI, messages: list[dict[str, Any]]) -> tuple[str, bool]:
        """The answer, and whether it came to its end."""
        answer = await client.chat.completions.create(
            model=_MODEL,
            messages=messages,  # type: ignore[arg-type]  # plain dicts, as agents write them
            temperature=1.0,
            max_completion_tokens=_MOST_TOKENS,
        )
        choice = answer.choices[0]
        return choice.message.content or "", choice.finish_reason == "stop"
