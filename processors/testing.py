"""A test kit for reward processors: recorded trajectories through the real stages, without a broker.

    from clawstream.processors.testing import conversation, run
    from my_rewards import exact

    def test_a_right_answer_is_worth_one() -> None:
        outcome = run(exact, conversation(("2 + 2?", "4"), metadata={"answer": "4"}))
        assert outcome.values("exact") == [1.0]

``save`` and ``recorded`` keep events as JSON lines; ``clawstream replay --save events.jsonl`` writes them from Kafka.
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from clawstream.processors.offline import Outcome, process
from clawstream.processors.readiness.assembly import Event
from clawstream.processors.rewards.decorated import RewardError, scorer_of
from clawstream.processors.rewards.loading import distinct, scorers_in
from clawstream.processors.rewards.scorer import Scorer
from clawstream.processors.settings import ProcessorsSettings
from clawstream.schemas import (
    TOKEN_BYTES,
    Feedback,
    PolicySpan,
    PromptPrefix,
    Step,
    derived_id,
    pack_logprobs,
    pack_tokens,
    tokens_digest,
)

__all__ = ["Outcome", "conversation", "feedback", "recorded", "run", "save"]

_START = datetime(2026, 1, 1, tzinfo=UTC)
_TYPES: dict[str, type[Event]] = {"Step": Step, "Feedback": Feedback}

Message = dict[str, Any]


def run(rewards: Any, events: Iterable[Event], **settings: Any) -> Outcome:
    """What the processors make of ``events`` with ``rewards``: a decorated function, a scorer, a module, or several.

    ``settings`` are those of ``[processors]``. Raises ``RewardError`` for what is no reward processor.
    """
    things = rewards if isinstance(rewards, list | tuple) else [rewards]
    scorers = distinct(scorer for thing in things for scorer in _scorers(thing))
    return asyncio.run(process(events, scorers, ProcessorsSettings(**settings)))


def conversation(
    *turns: tuple[str | list[Message], str],
    trajectory: str = "t1",
    group: str | None = None,
    reward: float | None = None,
    metadata: dict[str, Any] | None = None,
    completed: bool = True,
    **fields: Any,
) -> list[Event]:
    """A trajectory as the gateway records it. Each turn is what was asked (a text, or messages) and the answer.

    ``fields`` are those of each ``Step``. The text's UTF-8 bytes stand for tokens.
    """
    steps, history, at = list[Event](), b"", _START
    own: dict[str, Any] = {"trajectory_id": trajectory, "group_id": group or trajectory, "tenant": "default"}
    for number, (asked, answer) in enumerate(turns):
        messages = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
        prompt, response = _tokens(msgspec.json.encode(messages)), _tokens(answer.encode() or b"\0")
        prefix = None
        if steps:
            count, digest = len(history) // TOKEN_BYTES, tokens_digest(history)
            prefix = PromptPrefix(step_id=f"{trajectory}-{number - 1}", token_count=count, sha256=digest)
        said = {
            "step_id": f"{trajectory}-{number}",
            "request_key": f"{trajectory}-{number}",
            "new_messages_json": msgspec.json.encode(messages).decode(),
            "text": answer,
            "prompt_prefix": prefix,
            "prompt_token_count": len(history + prompt) // TOKEN_BYTES,
        }
        steps.append(_step(prompt, response, at, own | said | fields))
        history += prompt + response
        at += timedelta(seconds=2)
    opening = [] if metadata is None else [feedback("opened", at=_START, detail=metadata, **own)]
    end = [feedback("completed", at=at, reward=reward, **own)] if completed else []
    return [*opening, *steps, *end]


def _step(prompt: bytes, response: bytes, at: datetime, fields: dict[str, Any]) -> Step:
    """A step of those packed tokens, all sampled by version 0; ``fields`` are those of ``Step``."""
    count = len(response) // TOKEN_BYTES
    defaults: dict[str, Any] = {
        "agent": "",
        "channel": "train",
        "turn_type": "main",
        "attempt": 1,
        "received_at": at,
        "first_token_at": at,
        "finished_at": at + timedelta(seconds=1),
        "tools_json": None,
        "sampling_json": "{}",
        "reasoning": None,
        "tool_calls_json": None,
        "finish_reason": "stop",
        "prompt_tokens": prompt,
        "response_tokens": response,
        "response_logprobs": pack_logprobs([-0.5] * count),
        "logprobs_mode": "processed_logprobs",
        "temperature": 1.0,
        "policy_spans": [PolicySpan(version=0, start=0, end=count)],
        "node": "test",
        "model": "policy",
        "response_token_count": count,
        "trainable": True,
        "untrainable_reason": None,
    }
    return Step(**(defaults | fields))


def feedback(kind: str, *, at: datetime = _START, detail: dict[str, Any] | None = None, **fields: Any) -> Feedback:
    """A statement about a trajectory; ``fields`` are those of ``Feedback``."""
    defaults: dict[str, Any] = {
        "trajectory_id": "t1",
        "group_id": "t1",
        "tenant": "default",
        "channel": None,
        "kind": kind,
        "source": "agent",
        "at": at,
        "detail_json": None if detail is None else msgspec.json.encode(detail).decode(),
    }
    said = defaults | fields
    parts = (said["trajectory_id"], kind, str(said["at"]), str(said["source"]), str(said.get("step_id")))
    return Feedback(**({"feedback_id": derived_id("test", *parts)} | said))


def save(path: Path | str, events: Iterable[Event]) -> None:
    """Write ``events`` as JSON lines."""
    Path(path).write_bytes(b"".join(map(line_of, events)))


def line_of(event: Event) -> bytes:
    """``event`` as a line of such a file."""
    return msgspec.json.encode({"record": type(event).__name__, "value": event}) + b"\n"


def recorded(path: Path | str) -> list[Event]:
    """The events that ``save`` wrote."""
    return [_event(line) for line in Path(path).read_bytes().splitlines() if line]


class _Line(msgspec.Struct):
    record: str
    value: msgspec.Raw


def _event(line: bytes) -> Event:
    found = msgspec.json.decode(line, type=_Line)
    return msgspec.json.decode(found.value, type=_TYPES[found.record])


def _scorers(thing: Any) -> list[Scorer]:
    if isinstance(thing, ModuleType):
        return scorers_in(thing)
    scorer = scorer_of(thing)
    if scorer is None:
        raise RewardError(f"{thing!r:.100} is no reward processor; decorate a function with @reward")
    return [scorer]


def _tokens(text: bytes) -> bytes:
    return pack_tokens(list(text))
