"""Judges: language models behind an OpenAI-compatible server (such as vLLM) that score by votes.

Invariant: every vote is kept as it was given, also one that could not be read. A call that failed for good is a vote
that nobody gave; below the quorum the judge has failed, and is not neutral.
"""

import asyncio
from collections.abc import Callable, Sequence
from string import Template
from typing import Any

from clawstream.processors.rewards import voting
from clawstream.processors.rewards.calls import CallError, Endpoint
from clawstream.processors.rewards.prompts import filled
from clawstream.processors.rewards.scorer import Over, Scorer, TryAgainError, UnscoredError
from clawstream.processors.rewards.subjects import Subject
from clawstream.schemas import Reward, Vote

Parse = Callable[[str], float | None]
Combine = Callable[[Sequence[float | None], int], float | None]


class Judge(Scorer):
    """Asks a model ``votes`` times at once, and combines what it reads in the answers."""

    def __init__(
        self,
        name: str,
        over: Over,
        endpoint: Endpoint,
        prompt: Template,
        *,
        model: str,
        parse: Parse,
        combine: Combine,
        votes: int,
        quorum: int,
        sampling: dict[str, Any],
        max_chars: int,
        concurrency: int,
        expected: str = "expected",
    ) -> None:
        super().__init__(name, over, concurrency=concurrency, timeout_seconds=None, tries=1)
        self._endpoint, self._prompt, self._model = endpoint, prompt, model
        self._parse, self._combine = parse, combine
        self.votes, self.quorum = votes, quorum
        self._sampling, self._max_chars, self._expected = sampling, max_chars, expected

    async def score(self, subject: Subject) -> Reward:
        """A reward with its votes. Raises ``UnscoredError`` below the quorum when calls have failed."""
        votes, failures = await self.ask(subject, self._parse)
        values = [vote.value for vote in votes]
        value = self._combine(values, self.quorum)
        why = None if value is not None else voting.below_quorum(values, self.quorum)
        reward = subject.reward(value, votes=votes, unscored=why)
        if value is None and failures:
            raise UnscoredError(f"{why}; {failures[-1]}", reward)
        return reward

    async def ask(self, subject: Subject, parse: Parse) -> tuple[list[Vote], list[str]]:
        """The votes, and why calls failed."""
        messages = [{"role": "user", "content": filled(self._prompt, subject, self._max_chars, self._expected)}]
        body = {"model": self._model, "messages": messages, **self._sampling}
        answers = await asyncio.gather(*(self._answer(body) for _ in range(self.votes)))
        votes = [Vote(value=parse(text) if failure is None else None, raw=text) for text, failure in answers]
        return votes, [failure for _, failure in answers if failure is not None]

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()

    async def _answer(self, body: dict[str, Any]) -> tuple[str, str | None]:
        """The model's text, or why there is none."""
        try:
            answer = await self._endpoint.post("/chat/completions", body)
            content = answer["choices"][0]["message"]["content"]
            return str(content or ""), None
        except (CallError, TryAgainError, TimeoutError) as error:
            return "", str(error)
        except (KeyError, IndexError, TypeError):
            return "", f"the judge answered no chat completion: {answer!r:.200}"
