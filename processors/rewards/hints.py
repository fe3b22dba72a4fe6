"""Hindsight hints: what would have helped before an answer, and how a teacher who had been told so rates each token.

Invariant: a hint is no score. The teacher rates exactly the sampled tokens, the first one too, at the temperature at
which they were sampled; with the same weights and no hint it would say what the student said.
"""

import re

from clawstream.processors.rewards.judges import Judge
from clawstream.processors.rewards.scorer import Scorer, UnscoredError
from clawstream.processors.rewards.settings import Select
from clawstream.processors.rewards.subjects import Reaction, Subject
from clawstream.processors.rewards.teacher import Teacher
from clawstream.processors.rewards.voting import boxed
from clawstream.schemas import Reward

_HINT = re.compile(r"\[HINT_START\](.*?)\[HINT_END\]", re.DOTALL)


def read_hint(text: str, min_chars: int) -> str | None:
    """The last hint in an answer that decided for one, when it has more than ``min_chars`` characters."""
    found = _HINT.findall(text)
    hint = found[-1].strip() if found else ""
    return hint if boxed(text) == 1.0 and len(hint) > min_chars else None


def hint_vote(text: str) -> float | None:
    """1: there is a hint; -1: there is none; None: it does not say."""
    value = boxed(text)
    return value if value in (1.0, -1.0) else None


def selected(hints: list[str], select: Select) -> str:
    """One of ``hints``; of several alike the first."""
    if select == "first":
        return hints[0]
    return max(hints, key=len) if select == "longest" else min(hints, key=len)


class Hints(Scorer):
    """Extracts a hint by votes, and has a teacher rate the answer under it."""

    def __init__(
        self,
        name: str,
        judge: Judge,
        teacher: Teacher | None,
        *,
        min_chars: int,
        min_votes: int,
        select: Select,
        value: float | None,
    ) -> None:
        """``min_votes``: hints without which there is none. ``value``: of a step with a hint; None: unscored."""
        super().__init__(name, "next_state", concurrency=judge.concurrency, timeout_seconds=None, tries=1)
        self._judge, self._teacher = judge, teacher
        self._min_chars, self._min_votes, self._select, self._value = min_chars, min_votes, select, value

    async def score(self, subject: Subject) -> Reward:
        """A reward with the hint and the teacher's log-probabilities, or one that says why there is none."""
        if not isinstance(subject, Reaction):
            raise TypeError(f"hints look at what followed a step, not at a {type(subject).__name__}")
        votes, failures = await self._judge.ask(subject, hint_vote)
        readable = sum(vote.value is not None for vote in votes)
        if failures and readable < self._min_votes:
            raise UnscoredError(failures[-1], subject.reward(None, votes=votes))
        hints = [hint for vote in votes if (hint := read_hint(vote.raw, self._min_chars)) is not None]
        if len(hints) < self._min_votes:
            why = f"{len(hints)} of {len(votes)} votes had a hint, {self._min_votes} needed"
            return subject.reward(None, votes=votes, unscored=why)
        hint = selected(hints, self._select)
        logprobs = await self._teacher.rate(subject.turn, hint) if self._teacher else None
        unscored = "a hint is no score" if self._value is None else None
        return subject.reward(self._value, votes=votes, hint=hint, teacher_logprobs=logprobs, unscored=unscored)

    async def close(self) -> None:
        """Close the connections."""
        await self._judge.close()
        if self._teacher is not None:
            await self._teacher.close()
