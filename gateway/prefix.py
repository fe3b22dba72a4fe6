"""Earlier steps' tokens, to recognise a prompt that goes on from one of them and to store only what is new.

Invariant: a step refers only to a step that is acknowledged in the log, may train and is a main turn, so whoever
resolves the chain finds every link. What is forgotten costs storage, never truth: such a step is written whole.
All methods run on the event loop without awaiting, so no two calls interleave.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from clawstream.schemas import TOKEN_BYTES, PromptPrefix, tokens_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A step that a later prompt may continue."""

    step_id: str
    tokens: bytes  # whole prompt and response, packed
    message_count: int  # messages of its request
    tools_digest: str | None  # of its request's tools; None: it had none


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The part of a request that is written."""

    prefix: PromptPrefix | None
    prompt_tokens: bytes
    new_messages_json: str
    tools_json: str | None


class PrefixStore:
    """The last steps of the trajectories used last, bounded by tokens in all and by steps per trajectory."""

    def __init__(self, max_tokens: int, max_steps: int) -> None:
        self._max_bytes, self._max_steps = max_tokens * TOKEN_BYTES, max_steps
        self._steps: OrderedDict[str, list[Known]] = OrderedDict()
        self._bytes = 0

    @property
    def token_count(self) -> int:
        """Tokens held."""
        return self._bytes // TOKEN_BYTES

    def find(self, trajectory_id: str, prompt: bytes) -> Known | None:
        """The longest known step of the trajectory whose prompt and response ``prompt`` begins with."""
        if trajectory_id not in self._steps:
            return None
        self._steps.move_to_end(trajectory_id)
        matching = [known for known in self._steps[trajectory_id] if prompt.startswith(known.tokens)]
        return max(matching, key=lambda known: len(known.tokens), default=None)

    def remember(self, trajectory_id: str, known: Known) -> None:
        """Keep an acknowledged step."""
        steps = self._steps.setdefault(trajectory_id, [])
        self._steps.move_to_end(trajectory_id)
        steps.append(known)
        self._bytes += len(known.tokens)
        while len(steps) > self._max_steps:
            self._bytes -= len(steps.pop(0).tokens)
        while self._bytes > self._max_bytes:
            self.forget(next(iter(self._steps)))

    def forget(self, trajectory_id: str) -> None:
        """Drop a trajectory."""
        self._bytes -= sum(len(known.tokens) for known in self._steps.pop(trajectory_id, ()))


def shorten(
    prompt: bytes, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]], known: Known | None
) -> Stored:
    """What to write of a request whose prompt tokens begin with those of ``known``; all of it when there is none.

    The message that repeats ``known``'s own answer is not new. An empty ``tools`` after a step with tools is ``[]``.
    """
    tools_json = _json(tools) if tools else None
    if known is None or not _goes_on(messages, known.message_count):
        return Stored(prefix=None, prompt_tokens=prompt, new_messages_json=_json(messages), tools_json=tools_json)
    shared = len(known.tokens)
    same_tools = digest_of(tools) == known.tools_digest
    return Stored(
        prefix=PromptPrefix(
            step_id=known.step_id, token_count=shared // TOKEN_BYTES, sha256=tokens_digest(known.tokens)
        ),
        prompt_tokens=prompt[shared:],
        new_messages_json=_json(messages[known.message_count + 1 :]),
        tools_json=None if same_tools else tools_json or "[]",
    )


def digest_of(tools: Sequence[dict[str, Any]]) -> str | None:
    """What tells two lists of tools apart; ``None`` for none."""
    return hashlib.sha256(_json(tools).encode()).hexdigest() if tools else None


def _goes_on(messages: Sequence[dict[str, Any]], message_count: int) -> bool:
    """Is the message after the known step's own an answer, as it must be when the conversation went on?"""
    return len(messages) > message_count and messages[message_count].get("role") == "assistant"


def _json(value: Sequence[dict[str, Any]]) -> str:
    return msgspec.json.encode(value).decode()
