"""Reward models behind HTTP: discriminative ones that vLLM serves, and any service that takes and answers JSON.

Invariant: what is no finite number in the answer is no reward, and says what was answered.
"""

from collections.abc import Callable
from typing import Any

from clawstream.processors.joins.combining import is_number
from clawstream.processors.rewards.calls import CallError, Endpoint
from clawstream.processors.rewards.prompts import said
from clawstream.processors.rewards.scorer import Over, Scorer
from clawstream.processors.rewards.settings import Style
from clawstream.processors.rewards.subjects import Episode, Message, Reaction, Subject, Turn

_PATHS: dict[Style, str] = {"json": "", "pooling": "/pooling", "classify": "/classify", "score": "/score"}


class Service(Scorer):
    """Asks one endpoint for the score of a conversation."""

    def __init__(
        self, name: str, over: Over, endpoint: Endpoint, *, style: Style, model: str, label: int, concurrency: int
    ) -> None:
        """``style``: ``json``, our own; or vLLM's ``pooling`` (reward models), ``classify`` (``label`` is whose
        probability counts) or ``score`` (cross-encoders: request and answer)."""
        super().__init__(name, over, concurrency=concurrency, timeout_seconds=None, tries=1)
        self._endpoint, self._style, self._model, self._label = endpoint, style, model, label

    async def score(self, subject: Subject) -> float:
        """The score. Raises ``CallError`` where there is none."""
        answer = await self._endpoint.post(_PATHS[self._style], self._body(subject))
        try:
            value = _READERS[self._style](answer, self._label)
        except (KeyError, IndexError, TypeError, ValueError):
            value = None
        if value is None or not is_number(value):
            raise CallError(f"the service answered no score: {answer!r:.200}")
        return value

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()

    def _body(self, subject: Subject) -> dict[str, Any]:
        turn, followed = _turn(subject)
        request = turn.messages if turn else []
        answer = [turn.answer] if turn else []
        messages = [*request, *answer, *followed]
        if self._style == "score":
            texts = {"text_1": "\n".join(map(said, request)), "text_2": "\n".join(map(said, [*answer, *followed]))}
            return {"model": self._model, **texts}
        if self._style == "classify":
            return {"model": self._model, "input": ["\n".join(map(said, messages))]}
        if self._style == "pooling":
            return {"model": self._model, "messages": messages}
        about = {"trajectory_id": subject.trajectory_id, "step_id": subject.step_id, "metadata": subject.metadata}
        return {"model": self._model, "messages": request, "response": turn.text if turn else "", **about} | (
            {"next_state": followed} if followed else {}
        )


def _turn(subject: Subject) -> tuple[Turn | None, list[Message]]:
    match subject:
        case Turn():
            return subject, []
        case Reaction():
            return subject.turn, subject.messages
        case Episode(turns=[*_, last]):
            return last, []
    return None, []


def _json(answer: Any, _: int) -> float:
    for name in ("score", "reward", "reward_score", "value"):
        if name in answer:
            return float(answer[name])
    raise KeyError("score")


def _pooled(answer: Any, _: int) -> float:
    """Of a reward model the last token's score; of one that pools, the score."""
    found = answer["data"][0]["data"]
    while isinstance(found, list):
        found = found[-1]
    return float(found)


def _probability(answer: Any, label: int) -> float:
    return float(answer["data"][0]["probs"][label])


def _scored(answer: Any, _: int) -> float:
    return float(answer["data"][0]["score"])


_READERS: dict[Style, Callable[[Any, int], float]] = {
    "json": _json,
    "pooling": _pooled,
    "classify": _probability,
    "score": _scored,
}
